import { type Approval, connectBrowser, type MeshflowClient, MeshflowError, type RunEvent } from "@meshflow/client/browser";

// The writer's text goes out, so a person sees the step before it is executed.
const GATED = `
name: publishing
entry: researcher
nodes:
  researcher: {}
  writer: {}
  publisher: {risk: external_io}
edges: [researcher -> writer, writer -> publisher]
`;

const element = <T extends HTMLElement = HTMLElement>(id: string) => document.getElementById(id) as T;
const value = (id: string) => element<HTMLInputElement>(id).value;
let following = new AbortController();
let asked: Approval | undefined;

function client(): MeshflowClient {
  return connectBrowser(value("server"), value("token") ? { token: value("token") } : {});
}

async function start(): Promise<void> {
  const gated = element<HTMLInputElement>("gated").checked;
  const run = await client().createRun({
    task: value("task"),
    policy: { budgetUsd: 0.5, ...(gated ? { humanInLoop: { enabled: true, tierThreshold: "external_io" } } : {}) },
    ...(gated ? { workflowYaml: GATED } : {}),
  });
  // The address names server and run, so that a reloaded page takes the run up again.
  location.hash = new URLSearchParams({ server: value("server"), run: run.runId }).toString();
}

/** Follows a run from its first event to its end; a broken connection is taken up again by the client. */
async function follow(runId: string): Promise<void> {
  following.abort();
  following = new AbortController();
  const { signal } = following;
  element("run").textContent = runId;
  element("status").textContent = "running";
  element("events").replaceChildren();
  decided();
  for await (const event of client().watch(runId, { signal })) {
    if (signal.aborted) return;
    show(event);
    if (event.eventType === "gate_paused" && event.approval) await ask(event.approval.approvalId);
    if (event.eventType === "gate_resumed") decided();
    if (event.eventType === "run_completed") {
      decided();
      element("status").textContent = event.status ?? "ended";
    }
  }
}

function show(event: RunEvent): void {
  const line = document.createElement("li");
  line.dataset["sequence"] = String(event.sequence ?? "");
  line.dataset["type"] = event.eventType;
  const figures = event.tokens === undefined ? "" : ` · ${event.tokens} tokens · $${(event.costUsd ?? 0).toFixed(6)}`;
  const said = event.output ?? event.reason ?? "";
  // textContent, never HTML: a model wrote this.
  line.textContent = `${event.sequence ?? "-"} ${event.eventType} ${event.nodeId ?? ""}${figures}${said ? `\n${said}` : ""}`;
  element("events").append(line);
}

/** Shows what the waiting step would be given, unless somebody has decided already. */
async function ask(approvalId: string): Promise<void> {
  const approval = await client().getApproval(approvalId);
  if (approval.status !== "pending") return;
  asked = approval;
  element("status").textContent = "paused";
  element("asked").textContent = `${approval.nodeId} waits: ${approval.reason}`;
  element("input").textContent = approval.input ?? "";
  element("gate").hidden = false;
}

function decided(): void {
  asked = undefined;
  element("gate").hidden = true;
  if (element("status").textContent === "paused") element("status").textContent = "running";
}

async function decide(decision: "approve" | "reject"): Promise<void> {
  if (asked === undefined) return;
  // The digest says: what was shown here is what may be executed, nothing else.
  await client().decideApproval(asked.approvalId, decision, { expectedActionDigest: asked.actionDigest });
  decided();
}

/** Does something and shows why it failed. */
function attempt(action: () => Promise<void>): void {
  element("error").textContent = "";
  action().catch((failure: unknown) => {
    if (failure instanceof MeshflowError && failure.code === "Canceled") return;
    const told = failure instanceof MeshflowError ? `${failure.reason || failure.code}: ${failure.message}` : String(failure);
    element("error").textContent = told;
  });
}

function takeUp(): void {
  const named = new URLSearchParams(location.hash.slice(1));
  const [server, run] = [named.get("server"), named.get("run")];
  if (server) element<HTMLInputElement>("server").value = server;
  if (run) attempt(() => follow(run));
}

element("form").addEventListener("submit", (event) => {
  event.preventDefault();
  attempt(start);
});
element("approve").addEventListener("click", () => attempt(() => decide("approve")));
element("reject").addEventListener("click", () => attempt(() => decide("reject")));
addEventListener("hashchange", takeUp);
takeUp();
