import assert from "node:assert/strict";
import { test } from "node:test";

import { Code, ConnectError, createRouterTransport } from "@connectrpc/connect";

import { InvalidRequestError, MeshflowClient, MeshflowError } from "../src/index.js";
import { RunService } from "../src/gen/meshflow/v1/run_service_pb.js";

function scripted(asked: string[]): MeshflowClient {
  const transport = createRouterTransport(({ service }) => {
    service(RunService, {
      run(request) {
        asked.push("run");
        return { status: "completed", output: JSON.stringify(request.input) };
      },
      checkRun() {
        asked.push("check");
        return { admissible: true };
      },
      forkRun() {
        asked.push("fork");
        throw new ConnectError("gone", Code.Unavailable);
      },
    });
  });
  return new MeshflowClient(transport);
}

test("what a request cannot hold is refused by name, and nothing is sent", async () => {
  const asked: string[] = [];
  const client = scripted(asked);
  const wrong: [object, string, string][] = [
    [{ task: "x", policy: { budgtUsd: 1 } }, "policy.budgtUsd", "unknown key; did you mean 'budgetUsd'?"],
    [{ tsk: "x" }, "tsk", "unknown key; did you mean 'task'?"],
    [{ task: 5 }, "task", "must be a string"],
    [{ task: "x", policy: { maxSteps: 1.5 } }, "policy.maxSteps", "must be a whole number below 2147483648"],
    [{ task: "x", policy: { scrubPii: "yes" } }, "policy.scrubPii", "must be true or false"],
    [{ task: "x", policy: { humanInLoop: true } }, "policy.humanInLoop", "must be an object"],
    [{ task: "x", policy: { rules: [{ nam: "a" }] } }, "policy.rules[0].nam", "unknown key; did you mean 'name'?"],
  ];
  for (const [request, field, description] of wrong) {
    for (const call of [client.run(request), client.checkRun(request)]) {
      await assert.rejects(call, (error: unknown) => {
        assert.ok(error instanceof InvalidRequestError);
        assert.deepEqual([error.reason, error.violations], ["INVALID_REQUEST", [{ field, description }]]);
        return true;
      });
    }
  }
  assert.deepEqual(asked, []);
});

test("data of one's own is sent whatever its keys are", async () => {
  const input = { $anything: [1, "two", null], nested: { budgtUsd: true } };
  const run = await scripted([]).run({ input, labels: { any: "label" }, policy: { allowedTools: { names: [] } }, sessionId: undefined });
  assert.deepEqual(JSON.parse(run.output), input);
});

test("a fork need not have a request id, so it is never retried", async () => {
  const asked: string[] = [];
  await assert.rejects(scripted(asked).forkRun({ runId: "run_1", beforeNode: "writer" }), MeshflowError);
  assert.deepEqual(asked, ["fork"]);
});
