// Executes the calls of the contract suite through this client; tests/contract/README.md says what it reads and answers.
import { createInterface } from "node:readline";

import { createRegistry, type DescMessage, type Message, toJson } from "@bufbuild/protobuf";

import { connectBrowser } from "../src/browser.js";
import { file_meshflow_v1_approval_service } from "../src/gen/meshflow/v1/approval_service_pb.js";
import { file_meshflow_v1_event } from "../src/gen/meshflow/v1/event_pb.js";
import { file_meshflow_v1_ledger_service } from "../src/gen/meshflow/v1/ledger_service_pb.js";
import { RunRequestSchema, file_meshflow_v1_run } from "../src/gen/meshflow/v1/run_pb.js";
import { file_meshflow_v1_run_service } from "../src/gen/meshflow/v1/run_service_pb.js";
import { file_meshflow_v1_system_service } from "../src/gen/meshflow/v1/system_service_pb.js";
import { InvalidRequestError, type MeshflowClient, MeshflowError, type RunRequestInit } from "../src/index.js";
import { connectNode } from "../src/node.js";
import { watchSse } from "../src/sse.js";

interface Call {
  id: number;
  call: string;
  token?: string;
  args: Record<string, any>;
}

interface Server {
  client: MeshflowClient;
  token: string | undefined;
}

type Method = (server: Server, args: Record<string, any>) => Promise<Message> | AsyncIterable<unknown>;

const registry = createRegistry(
  file_meshflow_v1_approval_service,
  file_meshflow_v1_event,
  file_meshflow_v1_ledger_service,
  file_meshflow_v1_run,
  file_meshflow_v1_run_service,
  file_meshflow_v1_system_service,
);
const [address = "", transport = "grpc"] = process.argv.slice(2);
const servers = new Map<string | undefined, Server>();

const methods: Record<string, Method> = {
  run: ({ client }, { request }) => client.run(init(request)),
  stream_run: ({ client }, { request }) => client.streamRun(init(request)),
  create_run: ({ client }, { request }) => client.createRun(init(request)),
  check_run: ({ client }, { request }) => client.checkRun(init(request)),
  get_run: ({ client }, { run_id }) => client.getRun(run_id),
  list_runs: ({ client }, args) => client.listRuns(camel(args)),
  wait_run: ({ client }, { run_id, timeout_s }) => client.waitRun(run_id, timeout_s),
  watch_run: (server, { run_id, after_sequence, event_view }) =>
    transport === "sse"
      ? watchSse(address, run_id, { afterSequence: after_sequence ?? 0, ...(server.token ? { token: server.token } : {}) })
      : server.client.watch(run_id, { afterSequence: after_sequence ?? 0, eventView: event_view ?? "" }),
  cancel_run: ({ client }, { run_id, reason }) => client.cancelRun(run_id, reason),
  fork_run: ({ client }, args) => client.forkRun(camel(args)),
  diff_runs: ({ client }, { run_a, run_b }) => client.diffRuns(run_a, run_b),
  list_entries: ({ client }, args) => client.listEntries(camel(args)),
  verify_run: ({ client }, { run_id }) => client.verifyRun(run_id),
  list_approvals: ({ client }, args) => client.listApprovals(camel(args)),
  get_approval: ({ client }, { approval_id }) => client.getApproval(approval_id),
  decide_approval: ({ client }, { approval_id, decision, ...details }) => client.decideApproval(approval_id, decision, camel(details)),
  health: ({ client }) => client.health(),
};

for await (const line of createInterface({ input: process.stdin })) {
  const call = JSON.parse(line) as Call;
  say(await answer(call).catch((failure: unknown) => ({ id: call.id, error: errorOf(failure) })));
}
process.exit(0);

async function answer({ id, call, token, args }: Call): Promise<object> {
  const method = methods[call];
  if (method === undefined) return { id, error: { code: "UNSUPPORTED", reason: "", message: call, violations: [], retry_after_s: null } };
  const found = method(serverOf(token), args);
  if (!(Symbol.asyncIterator in found)) return { id, result: shown(await found) };
  for await (const event of found) {
    const json = shown(event as Message) as { event_type: string };
    say({ id, event: json });
    if (json.event_type === args["until"]) break;
  }
  return { id, result: null };
}

function serverOf(token: string | undefined): Server {
  const known = servers.get(token);
  if (known !== undefined) return known;
  const options = token ? { token } : {};
  const client = transport === "grpc-web" ? connectBrowser(address, options) : connectNode(address, options);
  const made = { client, token };
  servers.set(token, made);
  return made;
}

function say(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

/** Protobuf JSON with the proto's names; what SSE gave is JSON already. */
function shown(message: Message): unknown {
  const schema = registry.getMessage(message.$typeName ?? "");
  return schema ? toJson(schema, message, { registry, useProtoFieldName: true, alwaysEmitImplicit: true }) : message;
}

function errorOf(failure: unknown): object {
  if (!(failure instanceof MeshflowError)) {
    return { code: "UNKNOWN", reason: "", message: String(failure), violations: [], retry_after_s: null };
  }
  const code = failure.code.replace(/(?<!^)([A-Z])/g, "_$1").toUpperCase();
  return {
    code: failure instanceof InvalidRequestError ? "UNSENDABLE" : code,
    reason: failure.reason,
    message: failure.message,
    violations: failure.violations,
    retry_after_s: failure.retryAfterS ?? null,
  };
}

/** A request as a caller would write it: a plain object with the names of TypeScript, unknown keys and all. */
function init(request: Record<string, unknown>): RunRequestInit {
  return named(RunRequestSchema, request) as RunRequestInit;
}

function named(schema: DescMessage, value: any): unknown {
  if (schema.typeName.startsWith("google.protobuf.") || typeof value !== "object" || value === null) return value;
  const fields = new Map(schema.fields.map((field) => [field.name, field]));
  const entries = Object.entries(value).map(([key, item]) => {
    const field = fields.get(key);
    if (field === undefined) return [camelName(key), item];
    if (field.fieldKind === "list" && field.message && Array.isArray(item)) {
      const { message } = field;
      return [field.localName, item.map((each) => named(message, each))];
    }
    return [field.localName, field.fieldKind === "message" ? named(field.message, item) : item];
  });
  return Object.fromEntries(entries);
}

function camel(args: Record<string, any>): Record<string, any> {
  return Object.fromEntries(Object.entries(args).map(([key, value]) => [camelName(key), value]));
}

function camelName(name: string): string {
  return name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
