import { createGrpcWebTransport } from "@connectrpc/connect-web";

import { bearer } from "./authorization.js";
import { type ClientOptions, MeshflowClient } from "./client.js";

/** How a browser reaches a server. */
export interface BrowserOptions extends ClientOptions {
  /** Sent as `authorization: Bearer`. */
  token?: string;
}

/** Connects over gRPC-Web, with fetch, to a server's public port. Works in browsers, and in Node for tests. */
export function connectBrowser(baseUrl: string, { token, ...options }: BrowserOptions = {}): MeshflowClient {
  return new MeshflowClient(createGrpcWebTransport({ baseUrl, interceptors: bearer(token) }), options);
}

export * from "./index.js";
