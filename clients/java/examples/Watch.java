import dev.meshflow.EventStream;
import dev.meshflow.MeshflowClient;
import dev.meshflow.PolicyBuilder;
import dev.meshflow.v1.RunEvent;
import dev.meshflow.v1.RunRequest;
import dev.meshflow.v1.RunResponse;
import dev.meshflow.v1.VerifyRunResponse;

/** Starts a run, follows its events and has its evidence verified: {@code Watch [address [task]]}. */
public final class Watch {
    public static void main(String[] arguments) {
        String address = arguments.length > 0 ? arguments[0] : MeshflowClient.DEFAULT_ADDRESS;
        RunRequest request = RunRequest.newBuilder()
                .setTask(arguments.length > 1 ? arguments[1] : "Compare three message queues")
                .setPolicy(PolicyBuilder.create().budgetUsd(0.5).build())
                .build();
        try (MeshflowClient client =
                MeshflowClient.builder().address(address).token(System.getenv("MESHFLOW_TOKEN")).build()) {
            RunResponse run = client.createRun(request);
            try (EventStream events = client.watch(run.getRunId())) {
                for (RunEvent event : events) {
                    System.out.printf("%3d %-16s %s%n", event.getSequence(), event.getEventType(), event.getNodeId());
                }
            }
            VerifyRunResponse verification = client.verifyRun(run.getRunId());
            System.out.printf(
                    "%s: %d entries, valid: %b%n",
                    run.getRunId(), verification.getEntriesChecked(), verification.getValid());
        }
    }
}
