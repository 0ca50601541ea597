import { Code, ConnectError } from "@connectrpc/connect";

import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from "./gen/google/rpc/error_details_pb.js";
import type { ErrorReason } from "./gen/meshflow/v1/error_reason_pb.js";

/** The server's machine-readable reason of an error; empty when something on the way answered in its place. */
export type Reason = Exclude<keyof typeof ErrorReason, "UNSPECIFIED"> | "";

/** A bad field of a request and how to fix it. */
export interface FieldViolation {
  field: string;
  description: string;
}

/** A call that failed. */
export class MeshflowError extends Error {
  override readonly name = "MeshflowError";

  constructor(
    message: string,
    /** Name of the gRPC status code, for example "InvalidArgument". */
    readonly code: keyof typeof Code,
    readonly reason: Reason = "",
    readonly violations: readonly FieldViolation[] = [],
    /** When to come back, in seconds. */
    readonly retryAfterS?: number,
    readonly metadata: Readonly<Record<string, string>> = {},
    cause?: unknown,
  ) {
    super(message, { cause });
  }
}

/** A request that cannot be sent: a key that no message has, or a value of another type. Nothing was sent. */
export class InvalidRequestError extends MeshflowError {
  constructor(violations: readonly FieldViolation[]) {
    const told = violations.map(({ field, description }) => `${field}: ${description}`).join("; ");
    super(told, "InvalidArgument", "INVALID_REQUEST", violations);
  }
}

/** Reads code, reason, violations and retry time from a failed call. */
export function callError(failure: unknown): MeshflowError {
  if (failure instanceof MeshflowError) return failure;
  const error = ConnectError.from(failure);
  const info = error.findDetails(ErrorInfoSchema)[0];
  const delay = error.findDetails(RetryInfoSchema)[0]?.retryDelay;
  return new MeshflowError(
    error.rawMessage,
    Code[error.code] as keyof typeof Code,
    (info?.reason ?? "") as Reason,
    error
      .findDetails(BadRequestSchema)
      .flatMap((bad) => bad.fieldViolations.map(({ field, description }) => ({ field, description }))),
    delay && Number(delay.seconds) + delay.nanos / 1e9,
    info?.metadata,
    failure,
  );
}
