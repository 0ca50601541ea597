export { MeshflowClient, type ClientOptions, type Limits, type RunRequestInit } from "./client.js";
export { MeshflowError, type FieldViolation, type Reason } from "./errors.js";
export type { RunEvent } from "./gen/meshflow/v1/event_pb.js";
export type { LedgerEntry } from "./gen/meshflow/v1/ledger_pb.js";
export type { Policy } from "./gen/meshflow/v1/policy_pb.js";
export type { RunRequest, RunResponse } from "./gen/meshflow/v1/run_pb.js";
export type { CheckRunResponse, ListRunsResponse } from "./gen/meshflow/v1/run_service_pb.js";
export type { ListEntriesResponse, VerifyRunResponse } from "./gen/meshflow/v1/ledger_service_pb.js";
export type { GetHealthResponse } from "./gen/meshflow/v1/system_service_pb.js";
