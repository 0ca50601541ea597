import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { type CallOptions, type Client, type Transport, createClient } from "@connectrpc/connect";

import { callError, type MeshflowError, type Reason } from "./errors.js";
import {
  type Approval,
  ApprovalService,
  type DecideApprovalRequestSchema,
  type ListApprovalsRequestSchema,
  type ListApprovalsResponse,
} from "./gen/meshflow/v1/approval_service_pb.js";
import type { RunEvent } from "./gen/meshflow/v1/event_pb.js";
import type { ConsistencyProof, InclusionProof, TreeHead } from "./gen/meshflow/v1/log_pb.js";
import {
  type EraseRunResponse,
  type ListEntriesRequestSchema,
  type ListEntriesResponse,
  LedgerService,
  type VerifyRunResponse,
} from "./gen/meshflow/v1/ledger_service_pb.js";
import type { MeshChange, MeshNode } from "./gen/meshflow/v1/mesh_pb.js";
import { MeshService, type RegisterNodeRequestSchema, type ResolveNodeRequestSchema } from "./gen/meshflow/v1/mesh_service_pb.js";
import { RunRequestSchema, type RunResponse } from "./gen/meshflow/v1/run_pb.js";
import {
  type CheckRunResponse,
  type DiffRunsResponse,
  type ForkRunRequestSchema,
  type ListRunsRequestSchema,
  type ListRunsResponse,
  RunService,
} from "./gen/meshflow/v1/run_service_pb.js";
import { type GetHealthResponse, SystemService } from "./gen/meshflow/v1/system_service_pb.js";
import {
  type ApproveWorkflowRequestSchema,
  type ListWorkflowsRequestSchema,
  type ListWorkflowsResponse,
  type Workflow,
  type WorkflowApproval,
  WorkflowService,
  type WorkflowValidation,
} from "./gen/meshflow/v1/workflow_service_pb.js";
import { pause } from "./pause.js";
import { refuseUnsendable } from "./sendable.js";

/** What to run and under which policy, as a plain object; every field is optional but task or input. */
export type RunRequestInit = MessageInitShape<typeof RunRequestSchema>;

/** How calls behave. */
export interface ClientOptions {
  /** Bounds every call that does not wait for a run, in milliseconds. Default: 30000. */
  timeoutMs?: number;
  /** How often in a row a broken watch is taken up again. Default: 20. */
  reconnects?: number;
  /** First pause before that, in milliseconds; it doubles up to 5000. Default: 200. */
  reconnectDelayMs?: number;
}

/** Ends a call early: with the signal, or after so many milliseconds. */
export type Limits = Pick<CallOptions, "signal" | "timeoutMs">;

const ATTEMPTS = 4;
const MAX_RECONNECT_DELAY_MS = 5000;
const BROKEN = new Set(["Unavailable", "Unknown", "Internal", "Canceled", "Aborted"]);
const PASSING = new Set<Reason>(["", "DRAINING", "NOT_READY", "LEDGER_UNAVAILABLE"]);

/**
 * Calls a meshflow server over any transport; connectNode and connectBrowser make one. Every method rejects with a
 * MeshflowError when the call fails. Requests that start a run carry a fresh requestId unless the caller names one, so
 * that a retry after UNAVAILABLE never runs a task twice.
 */
export class MeshflowClient {
  readonly #runs: Client<typeof RunService>;
  readonly #ledger: Client<typeof LedgerService>;
  readonly #workflows: Client<typeof WorkflowService>;
  readonly #approvals: Client<typeof ApprovalService>;
  readonly #system: Client<typeof SystemService>;
  readonly #mesh: Client<typeof MeshService>;
  readonly #options: Required<ClientOptions>;

  constructor(transport: Transport, options: ClientOptions = {}) {
    this.#runs = createClient(RunService, transport);
    this.#ledger = createClient(LedgerService, transport);
    this.#workflows = createClient(WorkflowService, transport);
    this.#approvals = createClient(ApprovalService, transport);
    this.#system = createClient(SystemService, transport);
    this.#mesh = createClient(MeshService, transport);
    this.#options = { timeoutMs: 30_000, reconnects: 20, reconnectDelayMs: 200, ...options };
  }

  /** Executes a run and waits until it ends or pauses; the outcome is in status. */
  async run(request: RunRequestInit, limits: Limits = {}): Promise<RunResponse> {
    const named = withRequestId(request);
    return retried(limits, () => this.#runs.run(named, whole(limits)));
  }

  /**
   * Executes a run and yields its events to its end or to where it waits for a human, across broken connections: none lost,
   * none twice. Leaving the loop early is a disconnect.
   */
  async *streamRun(request: RunRequestInit, limits: Limits = {}): AsyncGenerator<RunEvent, void> {
    const named = withRequestId(request);
    const deadline = performance.now() + (limits.timeoutMs ?? Infinity);
    // Under its requestId a second call attaches to the run and shows it from its beginning.
    const open = (_: number, signal: AbortSignal) => {
      const left = deadline === Infinity ? {} : whole({ timeoutMs: deadline - performance.now() });
      return this.#runs.streamRun(named, { ...left, signal });
    };
    yield* this.#shown(open, () => Promise.resolve(true), 0, limits.signal);
  }

  /** Starts a run that goes on without the caller, and returns it as it stands. */
  async createRun(request: RunRequestInit, limits: Limits = {}): Promise<RunResponse> {
    const named = withRequestId(request);
    return retried(limits, () => this.#runs.createRun(named, this.#bounded(limits)));
  }

  /** Returns a run as it stands. */
  getRun(runId: string, limits: Limits = {}): Promise<RunResponse> {
    return retried(limits, () => this.#runs.getRun({ runId }, this.#bounded(limits)));
  }

  /** Returns a page of runs, newest first. */
  listRuns(request: MessageInitShape<typeof ListRunsRequestSchema> = {}, limits: Limits = {}): Promise<ListRunsResponse> {
    return retried(limits, () => this.#runs.listRuns(request, this.#bounded(limits)));
  }

  /** Waits until a run ends, pauses or the time passes, and returns it as it stands then. */
  waitRun(runId: string, timeoutS = 60, limits: Limits = {}): Promise<RunResponse> {
    return retried(limits, () => this.#runs.waitRun({ runId, timeoutS }, this.#bounded(limits, timeoutS * 1000)));
  }

  /** Yields a run's events until it has ended, across broken connections: none lost, none twice. */
  async *watch(
    runId: string,
    { afterSequence = 0, eventView = "", signal }: { afterSequence?: number; eventView?: string; signal?: AbortSignal } = {},
  ): AsyncGenerator<RunEvent, void> {
    const open = (after: number, own: AbortSignal) =>
      this.#runs.watchRun({ runId, afterSequence: after, eventView }, { signal: own });
    yield* this.#shown(open, (after) => this.#nothingAfter(runId, after, signal), afterSequence, signal);
  }

  /** Cancels a run and returns when it has ended; one that had ended before is returned unchanged. */
  cancelRun(runId: string, reason = "", limits: Limits = {}): Promise<RunResponse> {
    return retried(limits, () => this.#runs.cancelRun({ runId, reason }, this.#bounded(limits)));
  }

  /** Says what a request would be held to and which rules it violates; nothing is executed. */
  async checkRun(request: RunRequestInit, limits: Limits = {}): Promise<CheckRunResponse> {
    refuseUnsendable(RunRequestSchema, request);
    return retried(limits, () => this.#runs.checkRun(request, this.#bounded(limits)));
  }

  /**
   * Starts a run that goes on from before a place or a node of an earlier one; resolves when its start is durable. Never
   * retried: a second try could start a second run.
   */
  async forkRun(request: MessageInitShape<typeof ForkRunRequestSchema>, limits: Limits = {}): Promise<RunResponse> {
    return once(() => this.#runs.forkRun(request, this.#bounded(limits)));
  }

  /** Compares two runs node by node; deltas are B minus A. */
  diffRuns(runA: string, runB: string, limits: Limits = {}): Promise<DiffRunsResponse> {
    return retried(limits, () => this.#runs.diffRuns({ runA, runB }, this.#bounded(limits)));
  }

  /** Returns a page of pending approvals; with a runId all approvals of that run. */
  listApprovals(
    request: MessageInitShape<typeof ListApprovalsRequestSchema> = {},
    limits: Limits = {},
  ): Promise<ListApprovalsResponse> {
    return retried(limits, () => this.#approvals.listApprovals(request, this.#bounded(limits)));
  }

  /** Returns an approval as it stands, with what the step would be given. */
  getApproval(approvalId: string, limits: Limits = {}): Promise<Approval> {
    return retried(limits, () => this.#approvals.getApproval({ approvalId }, this.#bounded(limits)));
  }

  /** Decides; resolves when the decision is durable. The same decision again changes nothing. */
  decideApproval(
    approvalId: string,
    decision: "approve" | "reject" | "confirm" | "dispute",
    details: Pick<MessageInitShape<typeof DecideApprovalRequestSchema>, "comment" | "expectedActionDigest" | "breakGlass"> = {},
    limits: Limits = {},
  ): Promise<Approval> {
    const request = { approvalId, decision, ...details };
    return retried(limits, () => this.#approvals.decideApproval(request, this.#bounded(limits)));
  }

  /** Returns a page of a run's ledger entries in the order of the chain. */
  listEntries(request: MessageInitShape<typeof ListEntriesRequestSchema>, limits: Limits = {}): Promise<ListEntriesResponse> {
    return retried(limits, () => this.#ledger.listEntries(request, this.#bounded(limits)));
  }

  /** Has the server verify a run's chain; valid and faults tell. */
  verifyRun(runId: string, limits: Limits = {}): Promise<VerifyRunResponse> {
    return retried(limits, () => this.#ledger.verifyRun({ runId }, this.#bounded(limits)));
  }

  /** Returns the newest signed head of the log over all entries. */
  treeHead(limits: Limits = {}): Promise<TreeHead | undefined> {
    return retried(limits, async () => (await this.#ledger.getTreeHead({}, this.#bounded(limits))).head);
  }

  /** Returns the proof that an entry of a run, counted from 1, is in the log. */
  inclusionProof(runId: string, sequence: bigint, limits: Limits = {}): Promise<InclusionProof | undefined> {
    const request = { runId, sequence };
    return retried(limits, async () => (await this.#ledger.getInclusionProof(request, this.#bounded(limits))).proof);
  }

  /** Returns the proof that the log only grew from the first size to the second, by default that of the newest head. */
  consistencyProof(first: bigint, second = 0n, limits: Limits = {}): Promise<ConsistencyProof | undefined> {
    const request = { first, second };
    return retried(limits, async () => (await this.#ledger.getConsistencyProof(request, this.#bounded(limits))).proof);
  }

  /** Yields a run as a file, in pieces: "json", "csv" or "evidence", the bundle that `meshflow audit verify` checks offline. */
  async *exportRun(runId: string, format = "json", limits: Limits = {}): AsyncGenerator<Uint8Array, void> {
    const left = new AbortController();
    try {
      const options = { ...this.#bounded(limits), signal: either(limits.signal, left) };
      for await (const piece of this.#ledger.exportRun({ runId, format }, options)) yield piece.data;
    } catch (failure) {
      throw callError(failure);
    } finally {
      left.abort();
    }
  }

  /** Removes what people wrote from a run that has ended, for good, on a legal ground that is recorded. */
  eraseRun(runId: string, basis: string, limits: Limits = {}): Promise<EraseRunResponse> {
    return retried(limits, () => this.#ledger.eraseRun({ runId, basis }, this.#bounded(limits)));
  }

  /** Registers a version of a workflow, once: the same YAML again changes nothing. */
  putWorkflow(yaml: string, limits: Limits = {}): Promise<Workflow> {
    return retried(limits, () => this.#workflows.putWorkflow({ yaml }, this.#bounded(limits)));
  }

  /** Returns the version registered last of NAME, or NAME@VERSION. */
  getWorkflow(name: string, limits: Limits = {}): Promise<Workflow> {
    return retried(limits, () => this.#workflows.getWorkflow({ name }, this.#bounded(limits)));
  }

  /** Approves what NAME or NAME@VERSION is now, which another person registered. The same again changes nothing. */
  approveWorkflow(
    name: string,
    details: Pick<MessageInitShape<typeof ApproveWorkflowRequestSchema>, "comment" | "expectedDigest"> = {},
    limits: Limits = {},
  ): Promise<WorkflowApproval> {
    return retried(limits, () => this.#workflows.approveWorkflow({ name, ...details }, this.#bounded(limits)));
  }

  /** Returns a page of workflows, the newest version of each; with a name all versions of that one. */
  listWorkflows(
    request: MessageInitShape<typeof ListWorkflowsRequestSchema> = {},
    limits: Limits = {},
  ): Promise<ListWorkflowsResponse> {
    return retried(limits, () => this.#workflows.listWorkflows(request, this.#bounded(limits)));
  }

  /** Returns what is wrong with a definition, if anything; nothing is kept. */
  validateWorkflow(yaml: string, limits: Limits = {}): Promise<WorkflowValidation> {
    return retried(limits, () => this.#workflows.validateWorkflow({ yaml }, this.#bounded(limits)));
  }

  /** Registers a node that is no meshflow server, for the caller's tenant; it lives by heartbeat. */
  registerNode(request: MessageInitShape<typeof RegisterNodeRequestSchema>, limits: Limits = {}): Promise<MeshNode> {
    return retried(limits, () => this.#mesh.registerNode(request, this.#bounded(limits)));
  }

  /** Says that a node lives; resolves to the seconds within which the next heartbeat is due. */
  async heartbeat(nodeId: string, limits: Limits = {}): Promise<number> {
    return (await retried(limits, () => this.#mesh.heartbeat({ nodeId }, this.#bounded(limits)))).ttlS;
  }

  /** Returns all nodes and how they do, by name. */
  async listNodes(limits: Limits = {}): Promise<MeshNode[]> {
    return (await retried(limits, () => this.#mesh.listNodes({}, this.#bounded(limits)))).nodes;
  }

  /** Returns whom a step would go to, in the order in which they are asked. */
  async resolveNode(request: MessageInitShape<typeof ResolveNodeRequestSchema>, limits: Limits = {}): Promise<MeshNode[]> {
    return (await retried(limits, () => this.#mesh.resolveNode(request, this.#bounded(limits)))).nodes;
  }

  /** Yields what happened in the mesh above a number and then what happens, without end; leaving the loop ends it. */
  async *watchMesh(afterSequence = 0, signal?: AbortSignal): AsyncGenerator<MeshChange, void> {
    const left = new AbortController();
    try {
      yield* this.#mesh.watchMesh({ afterSequence }, { signal: either(signal, left) });
    } catch (failure) {
      throw callError(failure);
    } finally {
      left.abort();
    }
  }

  /** Returns the server's health, version and uptime. */
  health(limits: Limits = {}): Promise<GetHealthResponse> {
    return retried(limits, () => this.#system.getHealth({}, this.#bounded(limits)));
  }

  #bounded(limits: Limits, extraMs = 0): Limits {
    return whole({ timeoutMs: this.#options.timeoutMs + extraMs, ...limits });
  }

  /** Yields a run's events over as many streams as it takes; over says whether one that ended early had shown all there is. */
  async *#shown(
    open: (after: number, signal: AbortSignal) => AsyncIterable<RunEvent>,
    over: (after: number) => Promise<boolean>,
    after: number,
    signal?: AbortSignal,
  ): AsyncGenerator<RunEvent, void> {
    let broken = 0;
    let ended = false;
    for (;;) {
      const left = new AbortController();
      try {
        for await (const event of open(after, either(signal, left))) {
          if (event.sequence !== undefined && event.sequence <= after) continue;
          after = event.sequence ?? after;
          broken = 0;
          ended = event.eventType === "run_completed";
          yield event;
        }
        if (ended || (await over(after))) return;
      } catch (failure) {
        const error = callError(failure);
        if (ended) return;
        if (signal?.aborted || broken >= this.#options.reconnects || !isBreak(error)) throw error;
      } finally {
        left.abort();
      }
      await pause(Math.min(this.#options.reconnectDelayMs * 2 ** broken, MAX_RECONNECT_DELAY_MS), signal);
      broken += 1;
    }
  }

  /** Whether a run has ended and holds nothing after a sequence. */
  async #nothingAfter(runId: string, sequence: number, signal?: AbortSignal): Promise<boolean> {
    const run = await this.getRun(runId, signal ? { signal } : {});
    return run.status !== "running" && run.status !== "paused" && (run.ledgerHead?.sequence ?? 0) <= sequence;
  }
}

function withRequestId(request: RunRequestInit) {
  refuseUnsendable(RunRequestSchema, request);
  const named = create(RunRequestSchema, request);
  return named.requestId ? named : { ...named, requestId: crypto.randomUUID() };
}

/** gRPC's timeout header takes whole numbers of at most eight digits; anything else breaks the connection. */
function whole(limits: Limits): Limits {
  if (limits.timeoutMs === undefined) return limits;
  return { ...limits, timeoutMs: Math.min(Math.max(1, Math.ceil(limits.timeoutMs)), 99_999_999) };
}

function isBreak(error: MeshflowError): boolean {
  return BROKEN.has(error.code) && PASSING.has(error.reason);
}

async function once<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (failure) {
    throw callError(failure);
  }
}

/** Repeats a call that met UNAVAILABLE; every request that starts a run has an id by then. */
async function retried<T>({ signal }: Limits, call: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await call();
    } catch (failure) {
      const error = callError(failure);
      if (error.code !== "Unavailable" || attempt === ATTEMPTS || signal?.aborted) throw error;
    }
    await pause(Math.min(100 * 2 ** (attempt - 1), 1000), signal);
  }
}

function either(signal: AbortSignal | undefined, own: AbortController): AbortSignal {
  return signal ? AbortSignal.any([signal, own.signal]) : own.signal;
}
