import type { Interceptor } from "@connectrpc/connect";

/** Sends the token as `authorization: Bearer` with every call. */
export function bearer(token: string | undefined): Interceptor[] {
  if (!token) return [];
  return [
    (next) => (request) => {
      request.header.set("authorization", `Bearer ${token}`);
      return next(request);
    },
  ];
}
