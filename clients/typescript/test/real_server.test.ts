import assert from "node:assert/strict";
import { after, describe, test } from "node:test";

import { connectBrowser } from "../src/browser.js";
import { type MeshflowClient, MeshflowError } from "../src/index.js";
import { connectNode } from "../src/node.js";
import { SseError, watchSse } from "../src/sse.js";

const address = process.env["MESHFLOW_TEST_ADDRESS"] ?? "";
const skip = address === "" && "MESHFLOW_TEST_ADDRESS names no server";
const native = connectNode(address || undefined);
after(() => native.close());

const faces: [string, MeshflowClient][] = [
  ["native gRPC", native],
  ["gRPC-Web", connectBrowser(address || "http://127.0.0.1:1")],
];

async function sequences(events: AsyncIterable<{ sequence?: number }>): Promise<number[]> {
  const found: number[] = [];
  for await (const event of events) if (event.sequence !== undefined) found.push(event.sequence);
  return found;
}

function failed(code: string, reason: string, field?: string) {
  return (error: unknown) => {
    assert.ok(error instanceof MeshflowError, String(error));
    assert.deepEqual([error.code, error.reason, error.violations[0]?.field], [code, reason, field]);
    return true;
  };
}

/** The client's own clock or the server's answer, whichever is first. */
function isDeadline(error: unknown): boolean {
  return error instanceof MeshflowError && error.code === "DeadlineExceeded";
}

for (const [face, client] of faces) {
  describe(face, { skip }, () => {
    test("a run completes, is found again, and its chain verifies", async () => {
      const run = await client.run({ task: "Grüße, 世界 🌍", labels: { empty: "" } });
      assert.equal(run.status, "completed");
      assert.equal(typeof run.totalTokens, "number");
      assert.ok(run.output.includes("Grüße, 世界 🌍"));
      assert.equal(run.labels["empty"], "");
      assert.equal((await client.getRun(run.runId)).output, run.output);
      const verification = await client.verifyRun(run.runId);
      assert.deepEqual([verification.valid, verification.entriesChecked], [true, run.ledgerEntries]);
      assert.equal((await client.listEntries({ runId: run.runId })).entries.length, run.ledgerEntries);
      assert.equal((await client.listRuns({ pageSize: 1 })).runs.length, 1);
      assert.equal((await client.health()).ok, true);
    });

    test("a stream and a watch show the same events, and a watch starts anywhere", async () => {
      let runId = "";
      const streamed: number[] = [];
      for await (const event of client.streamRun({ task: "x" })) {
        runId = event.runId;
        streamed.push(event.sequence ?? -1);
      }
      assert.ok(streamed.length > 2);
      assert.deepEqual(await sequences(client.watch(runId)), streamed);
      assert.deepEqual(await sequences(client.watch(runId, { afterSequence: 1 })), streamed.slice(1));
      assert.deepEqual(await sequences(watchSse(address, runId, { afterSequence: 1 })), streamed.slice(1));
    });

    test("a background run is waited for; its request id names it once", async () => {
      const requestId = crypto.randomUUID();
      const first = await client.createRun({ task: "x", requestId });
      assert.equal((await client.createRun({ task: "x", requestId })).runId, first.runId);
      await assert.rejects(client.createRun({ task: "y", requestId }), failed("AlreadyExists", "REQUEST_ID_REUSED"));
      assert.equal((await client.waitRun(first.runId, 20)).status, "completed");
      assert.equal((await client.cancelRun(first.runId, "enough")).status, "completed");
    });

    test("a refusal by governance is an outcome; a bad request is a typed error", async () => {
      const poor = { task: "x", policy: { budgetUsd: 1e-7 } };
      const run = await client.run(poor);
      assert.deepEqual([run.status, run.blockedBy], ["blocked", "budget_check"]);
      assert.equal((await client.checkRun(poor)).admissible, false);
      await assert.rejects(
        client.run({ task: "x", policy: { budgetUsd: -1 } }),
        failed("InvalidArgument", "INVALID_REQUEST", "policy.budget_usd"),
      );
      await assert.rejects(client.getRun("run_00000000-0000-7000-8000-000000000000"), failed("NotFound", "RUN_NOT_FOUND"));
    });

    test("evidence: the log's heads and proofs, and a run as a file", async () => {
      const { runId } = await client.run({ task: "x" });
      const proof = await client.inclusionProof(runId, 1n);
      const head = await client.treeHead();
      assert.ok(proof && head && proof.seq <= head.size && head.checkpoint.startsWith(head.origin));
      assert.ok((await client.consistencyProof(1n, head.size))?.second === head.size);
      let text = "";
      const decoder = new TextDecoder();
      for await (const piece of client.exportRun(runId)) text += decoder.decode(piece, { stream: true });
      assert.ok(JSON.stringify(JSON.parse(text)).includes(runId));
      await assert.rejects(client.exportRun(runId, "parquet").next(), failed("InvalidArgument", "INVALID_REQUEST", "format"));
      await assert.rejects(client.eraseRun(runId, "gdpr art. 17(1)(b)"), failed("PermissionDenied", "PERMISSION_DENIED"));
    });

    test("a registered workflow runs by its name; one that is wrong is told what is", async () => {
      const name = `ts-${crypto.randomUUID()}`;
      const yaml = `name: ${name}\nversion: '1'\nentry: a\nnodes:\n  a: {mock: {output: done}}\n`;
      assert.equal((await client.validateWorkflow(yaml)).valid, true);
      assert.equal((await client.validateWorkflow("name: x")).valid, false);
      assert.deepEqual(await client.putWorkflow(yaml), await client.getWorkflow(`${name}@1`));
      assert.equal((await client.listWorkflows({ name })).workflows.length, 1);
      assert.equal((await client.run({ task: "x", workflow: name })).output, "done");
    });

    test("the node is listed, found by its work and told of; registering others takes a role", async () => {
      const [node] = await client.listNodes();
      assert.deepEqual([node?.slug, node?.live, node?.breaker], ["build.ai", true, "closed"]);
      assert.deepEqual((await client.resolveNode({ concern: "build" })).map((each) => each.nodeId), [node?.nodeId]);
      await assert.rejects(client.resolveNode({ slug: "nobody.ai" }), failed("NotFound", "NODE_NOT_FOUND"));
      for await (const change of client.watchMesh()) {
        assert.deepEqual([change.sequence, change.kind, change.slug], [1, "node_registered", "build.ai"]);
        break;
      }
      const agent = { slug: "agent.ai", endpoints: ["127.0.0.1:1"] };
      await assert.rejects(client.registerNode(agent), failed("PermissionDenied", "PERMISSION_DENIED"));
      await assert.rejects(client.heartbeat(node?.nodeId ?? ""), failed("PermissionDenied", "PERMISSION_DENIED"));
    });

    test("a deadline and a signal end calls", async () => {
      await assert.rejects(client.run({ task: "x" }, { timeoutMs: 0.5 }), isDeadline);
      assert.equal((await client.health({ timeoutMs: 10_000.5 })).ok, true);
      await assert.rejects(client.run({ task: "x" }, { signal: AbortSignal.abort() }), failed("Canceled", ""));
    });
  });
}

test("SSE says why there is no stream", { skip }, async () => {
  const events = watchSse(address, "run_00000000-0000-7000-8000-000000000000");
  await assert.rejects(sequences(events), (error) => error instanceof SseError && error.status === 404);
});
