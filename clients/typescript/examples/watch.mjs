// Starts a run, follows its events and verifies its evidence: node examples/watch.mjs [ADDRESS] [TASK]
import { connectNode } from "@meshflow/client/node";

const [address = "http://127.0.0.1:8765", task = "Compare three message queues"] = process.argv.slice(2);
const client = connectNode(address, { token: process.env.MESHFLOW_TOKEN });
try {
  const { runId } = await client.createRun({ task, policy: { budgetUsd: 0.5 } });
  for await (const event of client.watch(runId)) console.log(event.sequence, event.eventType, event.nodeId ?? "");
  const { entriesChecked, valid } = await client.verifyRun(runId);
  console.log(`${runId}: ${entriesChecked} entries, valid: ${valid}`);
} finally {
  client.close();
}
