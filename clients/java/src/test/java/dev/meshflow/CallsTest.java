package dev.meshflow;

import static dev.meshflow.ScriptedServer.gone;
import static dev.meshflow.ScriptedServer.info;
import static dev.meshflow.ScriptedServer.refusal;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.rpc.BadRequest;
import com.google.rpc.RetryInfo;
import dev.meshflow.MeshflowException.FieldViolation;
import dev.meshflow.v1.ForkRunRequest;
import dev.meshflow.v1.RunRequest;
import dev.meshflow.v1.RunResponse;
import io.grpc.Context;
import io.grpc.Status;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Calls with one answer: retries, errors, deadlines, cancellation. */
@Timeout(30)
final class CallsTest {
    private static final RunRequest TASK = RunRequest.newBuilder().setTask("x").build();
    private static final RunRequest UNANSWERED = RunRequest.newBuilder().setTask("unanswered").build();
    private ScriptedServer server;

    @BeforeEach
    void start() throws Exception {
        server = new ScriptedServer();
    }

    @AfterEach
    void stop() throws Exception {
        server.close();
    }

    /** A run is retried under the same fresh request id after UNAVAILABLE. */
    @Test
    void retriesCarryOneRequestId() {
        server.refusals.addAll(List.of(gone(), gone()));
        try (MeshflowClient client = server.builder().token("secret").build()) {
            assertEquals("completed", client.run(TASK).getStatus());
        }
        assertEquals(3, server.requests.size());
        assertEquals(1, server.requests.stream().map(RunRequest::getRequestId).distinct().count());
        assertFalse(server.requests.get(0).getRequestId().isEmpty());
        assertEquals(List.of("Bearer secret"), server.tokens.stream().distinct().toList());
    }

    /** Two runs of one request are two runs, and a request id of the caller's own is kept. */
    @Test
    void requestIdsAreFreshOrTheCallers() {
        try (MeshflowClient client = server.client()) {
            client.run(TASK);
            client.run(TASK);
            client.run(TASK.toBuilder().setRequestId("mine").build());
        }
        assertNotEquals(server.requests.get(0).getRequestId(), server.requests.get(1).getRequestId());
        assertEquals("mine", server.requests.get(2).getRequestId());
    }

    /** 3 MB arrive whole both ways, and such a request is repeated like a small one. */
    @Test
    void largeMessagesArriveAndAreRetried() {
        server.refusals.add(gone());
        String task = "世".repeat(1 << 20);
        try (MeshflowClient client = server.client()) {
            RunResponse run = client.run(RunRequest.newBuilder().setTask(task).build());
            assertEquals(task, run.getOutput());
        }
        assertEquals(2, server.requests.size());
    }

    /** A fork need not have a request id, so a second attempt might be a second run: there is none. */
    @Test
    void forksAreNotRetried() {
        server.refusals.add(gone());
        try (MeshflowClient client = server.client()) {
            ForkRunRequest request = ForkRunRequest.newBuilder().setRunId("run_1").build();
            MeshflowException failure = assertThrows(MeshflowException.class, () -> client.forkRun(request));
            assertEquals(Status.Code.UNAVAILABLE, failure.code());
        }
        assertEquals(1, server.forks.size());
    }

    /** Code, reason, violations, metadata and retry time arrive as typed values; RESOURCE_EXHAUSTED is not retried. */
    @Test
    void errorsAreTyped() {
        BadRequest bad = BadRequest.newBuilder()
                .addFieldViolations(BadRequest.FieldViolation.newBuilder()
                        .setField("policy.budget_usd")
                        .setDescription("must be positive"))
                .build();
        RetryInfo retry = RetryInfo.newBuilder()
                .setRetryDelay(com.google.protobuf.Duration.newBuilder().setSeconds(1).setNanos(500_000_000))
                .build();
        server.refusals.add(refusal(Status.Code.RESOURCE_EXHAUSTED, info("RATE_LIMITED"), bad, retry));
        try (MeshflowClient client = server.client()) {
            MeshflowException failure = assertThrows(MeshflowException.class, () -> client.run(TASK));
            assertEquals(Status.Code.RESOURCE_EXHAUSTED, failure.code());
            assertEquals(Reason.RATE_LIMITED, failure.reason());
            assertEquals(List.of(new FieldViolation("policy.budget_usd", "must be positive")), failure.violations());
            assertEquals(Duration.ofMillis(1500), failure.retryAfter().orElseThrow());
            assertEquals(Map.of("limit", "1"), failure.metadata());
            assertEquals("RATE_LIMITED: refused", failure.getMessage());
            assertTrue(List.of(failure.getStackTrace()).toString().contains("CallsTest"), "the caller's own stack");
        }
        assertEquals(1, server.requests.size());
    }

    /** A reason of a newer server keeps its name; an answer without one has none. */
    @Test
    void reasonsMayBeUnknownOrMissing() {
        server.refusals.add(refusal(Status.Code.NOT_FOUND, info("OF_TOMORROW")));
        server.refusals.add(refusal(Status.Code.NOT_FOUND));
        try (MeshflowClient client = server.client()) {
            MeshflowException unknown = assertThrows(MeshflowException.class, () -> client.run(TASK));
            assertEquals(Reason.UNKNOWN, unknown.reason());
            assertEquals("OF_TOMORROW", unknown.reasonText());
            MeshflowException missing = assertThrows(MeshflowException.class, () -> client.run(TASK));
            assertEquals(Reason.NONE, missing.reason());
            assertEquals(Map.of(), missing.metadata());
        }
    }

    /** The client's deadline bounds calls that wait for no run; one for all calls, and a Context's, come before it. */
    @Test
    void callsHaveDeadlines() throws Exception {
        try (MeshflowClient client = server.builder().deadline(Duration.ofSeconds(7)).build()) {
            client.getRun("run_1");
            assertTrue(server.deadline.toMillis() > 5000 && server.deadline.toMillis() <= 7000, "" + server.deadline);
            client.withDeadline(Duration.ofSeconds(3)).getRun("run_1");
            assertTrue(server.deadline.toMillis() <= 3000, "" + server.deadline);
            var executor = java.util.concurrent.Executors.newSingleThreadScheduledExecutor();
            try (var context = Context.current().withDeadlineAfter(2, TimeUnit.SECONDS, executor)) {
                context.call(() -> client.getRun("run_1"));
            } finally {
                executor.shutdownNow();
            }
            assertTrue(server.deadline.toMillis() <= 2000, "" + server.deadline);
            MeshflowClient hasty = client.withDeadline(Duration.ofMillis(50));
            MeshflowException failure = assertThrows(MeshflowException.class, () -> hasty.run(UNANSWERED));
            assertEquals(Status.Code.DEADLINE_EXCEEDED, failure.code());
        }
    }

    /** A future fails with the typed error itself. */
    @Test
    void futuresFailWithTheTypedError() {
        server.refusals.add(refusal(Status.Code.NOT_FOUND, info("RUN_NOT_FOUND")));
        try (MeshflowClient client = server.client()) {
            CompletableFuture<String> status = client.async().getRun("run_0").thenApply(RunResponse::getStatus);
            Throwable failure = assertThrows(CompletionException.class, status::join).getCause();
            assertEquals(Reason.RUN_NOT_FOUND, assertInstanceOf(MeshflowException.class, failure).reason());
        }
    }

    /** Cancelling a future ends the call at the server. */
    @Test
    void cancellingAFutureCancelsTheCall() throws Exception {
        try (MeshflowClient client = server.client()) {
            CompletableFuture<RunResponse> run = client.async().run(UNANSWERED);
            while (server.requests.isEmpty()) {
                Thread.onSpinWait();
            }
            run.cancel(true);
            assertTrue(server.cancelled.await(10, TimeUnit.SECONDS));
        }
    }

    /** Interrupting a waiting thread ends its call and keeps the interrupt for the thread. */
    @Test
    void interruptingAThreadCancelsItsCall() throws Exception {
        try (MeshflowClient client = server.client()) {
            Thread.currentThread().interrupt();
            MeshflowException failure = assertThrows(MeshflowException.class, () -> client.run(UNANSWERED));
            assertTrue(Thread.interrupted());
            assertEquals(Status.Code.CANCELLED, failure.code());
        }
    }

    /** An address that is none is refused before anything is sent. */
    @Test
    void addressesAreChecked() {
        List<String> wrong = List.of(
                "", "host", "host:0", "host:99999", "ftp://host", "ftp://host:21", "https://host/path", "http://u@host", "host:1/x");
        for (String address : wrong) {
            ClientBuilder builder = MeshflowClient.builder().address(address);
            assertThrows(IllegalArgumentException.class, builder::build, address);
        }
        assertEquals(new Target("127.0.0.1", 8765, false), Target.of("127.0.0.1:8765"));
        assertEquals(new Target("localhost", 80, false), Target.of("http://localhost/"));
        assertEquals(new Target("host", 443, true), Target.of("https://host"));
        assertEquals(new Target("host", 8443, true), Target.of("HTTPS://host:8443"));
        assertEquals(new Target("[::1]", 8443, true), Target.of("https://[::1]:8443"));
        MeshflowClient.builder().address("https://[::1]:8443").build().close();
    }

    /** Limits that are none are refused where they are given. */
    @Test
    void limitsAreChecked() {
        ClientBuilder builder = MeshflowClient.builder();
        Duration second = Duration.ofSeconds(1);
        assertThrows(IllegalArgumentException.class, () -> builder.deadline(Duration.ZERO));
        assertThrows(IllegalArgumentException.class, () -> builder.keepAlive(second, second.negated()));
        assertThrows(IllegalArgumentException.class, () -> builder.reconnects(-1, second));
        try (MeshflowClient client = server.client()) {
            assertThrows(IllegalArgumentException.class, () -> client.withDeadline(Duration.ZERO));
        }
    }
}
