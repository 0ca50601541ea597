import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";

import { Code, ConnectError, createRouterTransport } from "@connectrpc/connect";

import { MeshflowClient, MeshflowError } from "../src/index.js";
import { RunService } from "../src/gen/meshflow/v1/run_service_pb.js";
import { watchSse } from "../src/sse.js";

const LAST = 7;
const eventType = (sequence: number) => (sequence === LAST ? "run_completed" : "agent_completed");

async function sequences(events: AsyncIterable<{ sequence?: number }>): Promise<number[]> {
  const found: number[] = [];
  for await (const event of events) if (event.sequence !== undefined) found.push(event.sequence);
  return found;
}

test("a watch goes on after each break: no event lost, none twice", async () => {
  const resumed: number[] = [];
  const transport = createRouterTransport(({ service }) => {
    service(RunService, {
      async *watchRun({ runId, afterSequence }) {
        resumed.push(afterSequence);
        // The event at afterSequence is repeated on purpose.
        for (let sequence = Math.max(afterSequence, 1); sequence <= LAST; sequence += 1) {
          if (sequence > afterSequence + 2) throw new ConnectError("reset", Code.Unavailable);
          yield { runId, sequence, eventType: eventType(sequence) };
        }
      },
    });
  });
  const client = new MeshflowClient(transport, { reconnectDelayMs: 1 });
  assert.deepEqual(await sequences(client.watch("run_1")), [1, 2, 3, 4, 5, 6, 7]);
  assert.deepEqual(resumed, [0, 2, 4, 6]);
});

test("a streamed run goes on after each break under one request id, within one deadline, and ends where it waits", async () => {
  const breaks = [1, 2];
  const ids: (string | undefined)[] = [];
  const left: (number | undefined)[] = [];
  const transport = createRouterTransport(({ service }) => {
    service(RunService, {
      async *streamRun({ requestId }, { timeoutMs }) {
        ids.push(requestId);
        left.push(timeoutMs());
        const last = breaks.shift();
        for (let sequence = 1; sequence <= (last ?? 4); sequence += 1) yield { runId: "run_1", sequence, eventType: "agent_completed" };
        if (last) throw new ConnectError("reset", Code.Unavailable);
      },
    });
  });
  const client = new MeshflowClient(transport, { reconnectDelayMs: 20 });
  assert.deepEqual(await sequences(client.streamRun({ task: "x" }, { timeoutMs: 60_000 })), [1, 2, 3, 4]);
  assert.ok(ids[0]);
  assert.deepEqual(ids, [ids[0], ids[0], ids[0]]);
  const [first, , third] = left as number[];
  assert.ok(third! <= first! - 20, `${left}`);
});

test("a streamed run that the server refuses is asked for once, one that keeps breaking as often as allowed", async () => {
  let streams = 0;
  const transport = createRouterTransport(({ service }) => {
    service(RunService, {
      async *streamRun({ task }) {
        streams += 1;
        throw new ConnectError("no", task === "bad" ? Code.InvalidArgument : Code.Internal);
      },
    });
  });
  const client = new MeshflowClient(transport, { reconnects: 3, reconnectDelayMs: 1 });
  await assert.rejects(sequences(client.streamRun({ task: "bad" })), MeshflowError);
  assert.equal(streams, 1);
  await assert.rejects(sequences(client.streamRun({ task: "x" })), MeshflowError);
  assert.equal(streams, 1 + 4);
});

test("UNAVAILABLE is retried under one fresh request id, and a watch gives up after the reconnects", async () => {
  const ids: (string | undefined)[] = [];
  let watches = 0;
  const transport = createRouterTransport(({ service }) => {
    service(RunService, {
      run({ requestId }) {
        ids.push(requestId);
        if (ids.length < 3) throw new ConnectError("gone", Code.Unavailable);
        return { status: "completed" };
      },
      async *watchRun() {
        watches += 1;
        throw new ConnectError("reset", Code.Internal);
      },
    });
  });
  const client = new MeshflowClient(transport, { reconnects: 3, reconnectDelayMs: 1 });
  assert.equal((await client.run({ task: "x" })).status, "completed");
  assert.ok(ids[0]);
  assert.deepEqual(ids, [ids[0], ids[0], ids[0]]);
  await assert.rejects(sequences(client.watch("run_1")), MeshflowError);
  assert.equal(watches, 4);
});

test("SSE goes on with Last-Event-ID, and ends when an ended run has nothing more to say", async () => {
  const resumed: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    if (!request.url?.endsWith("/events")) {
      response.end(JSON.stringify({ status: "completed", ledger_head: { sequence: LAST } }));
      return;
    }
    const last = Number(request.headers["last-event-id"] ?? 0);
    resumed.push(request.headers["last-event-id"] as string | undefined);
    response.writeHead(200, { "content-type": "text/event-stream" }).write(": heartbeat\n\n");
    for (let sequence = last + 1; sequence <= Math.min(last + 3, LAST); sequence += 1) {
      const event = { event_type: eventType(sequence), run_id: "run_1", sequence };
      response.write(`id: ${sequence}\ndata: ${JSON.stringify(event)}\n\n`);
    }
    response.write("", () => (last + 3 < LAST ? response.destroy() : response.end()));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  try {
    assert.deepEqual(await sequences(watchSse(url, "run_1", { reconnectDelayMs: 1 })), [1, 2, 3, 4, 5, 6, 7]);
    assert.deepEqual(resumed, [undefined, "3", "6"]);
    assert.deepEqual(await sequences(watchSse(url, "run_1", { afterSequence: LAST })), []);
  } finally {
    server.closeAllConnections();
    server.close();
  }
});
