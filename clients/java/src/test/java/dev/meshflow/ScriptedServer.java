package dev.meshflow;

import com.google.protobuf.Any;
import com.google.protobuf.Message;
import com.google.rpc.ErrorInfo;
import dev.meshflow.v1.ForkRunRequest;
import dev.meshflow.v1.GetRunRequest;
import dev.meshflow.v1.LedgerHead;
import dev.meshflow.v1.RunEvent;
import dev.meshflow.v1.RunRequest;
import dev.meshflow.v1.RunResponse;
import dev.meshflow.v1.RunServiceGrpc;
import dev.meshflow.v1.WatchRunRequest;
import io.grpc.Context;
import io.grpc.Grpc;
import io.grpc.InsecureServerCredentials;
import io.grpc.Metadata;
import io.grpc.Server;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerCredentials;
import io.grpc.ServerInterceptor;
import io.grpc.Status;
import io.grpc.protobuf.StatusProto;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/** A real gRPC server whose answers a test scripts. */
final class ScriptedServer extends RunServiceGrpc.RunServiceImplBase implements AutoCloseable {
    final List<RunRequest> requests = new CopyOnWriteArrayList<>();
    final List<Integer> watches = new CopyOnWriteArrayList<>();
    final List<String> tokens = new CopyOnWriteArrayList<>();
    final List<ForkRunRequest> forks = new CopyOnWriteArrayList<>();
    final Queue<RuntimeException> refusals = new ConcurrentLinkedQueue<>();
    final CountDownLatch cancelled = new CountDownLatch(1);
    volatile Duration deadline;
    /** Ends a watch with UNAVAILABLE after so many events; 0 never does. */
    volatile int breakAfter;
    /** End the next streams of runs with UNAVAILABLE, each after so many events. */
    final Queue<Integer> breaks = new ConcurrentLinkedQueue<>();
    /** Ends a watch with OK after so many events; 0 never does. */
    volatile int leaveAfter;

    volatile int last;
    /** A call of this task is never answered. */
    volatile String unanswered = "unanswered";

    private final Server server;

    ScriptedServer() throws IOException {
        this(InsecureServerCredentials.create());
    }

    ScriptedServer(ServerCredentials credentials) throws IOException {
        server = Grpc.newServerBuilderForPort(0, credentials)
                .addService(this)
                .intercept(new Tokens())
                .maxInboundMessageSize(64 << 20)
                .build()
                .start();
    }

    String address() {
        return "127.0.0.1:" + server.getPort();
    }

    MeshflowClient client() {
        return builder().build();
    }

    ClientBuilder builder() {
        return MeshflowClient.builder().address(address()).reconnects(3, Duration.ofMillis(1));
    }

    @Override
    public void close() throws InterruptedException {
        server.shutdownNow();
        server.awaitTermination();
    }

    static RuntimeException refusal(Status.Code code, Message... details) {
        com.google.rpc.Status.Builder status =
                com.google.rpc.Status.newBuilder().setCode(code.value()).setMessage("refused");
        for (Message detail : details) {
            status.addDetails(Any.pack(detail));
        }
        return StatusProto.toStatusRuntimeException(status.build());
    }

    static ErrorInfo info(String reason) {
        return ErrorInfo.newBuilder()
                .setReason(reason)
                .setDomain("meshflow.dev")
                .putMetadata("limit", "1")
                .build();
    }

    static RuntimeException gone() {
        return Status.UNAVAILABLE.withDescription("gone").asRuntimeException();
    }

    @Override
    public void run(RunRequest request, StreamObserver<RunResponse> observer) {
        requests.add(request);
        Context.current().addListener(context -> cancelled.countDown(), Runnable::run);
        if (!request.getTask().equals(unanswered)) {
            answer(observer, request.getTask());
        }
    }

    @Override
    public void streamRun(RunRequest request, StreamObserver<RunEvent> observer) {
        requests.add(request);
        Context.current().addListener(context -> cancelled.countDown(), Runnable::run);
        send(0, "run_1", observer);
    }

    @Override
    public void getRun(GetRunRequest request, StreamObserver<RunResponse> observer) {
        deadline = Duration.ofNanos(Context.current().getDeadline().timeRemaining(TimeUnit.NANOSECONDS));
        answer(observer, "");
    }

    @Override
    public void forkRun(ForkRunRequest request, StreamObserver<RunResponse> observer) {
        forks.add(request);
        answer(observer, "");
    }

    @Override
    public void watchRun(WatchRunRequest request, StreamObserver<RunEvent> observer) {
        watches.add(request.getAfterSequence());
        send(request.getAfterSequence(), request.getRunId(), observer);
    }

    private void send(int after, String runId, StreamObserver<RunEvent> observer) {
        RuntimeException refusal = refusals.poll();
        if (refusal != null) {
            observer.onError(refusal);
            return;
        }
        Integer breakHere = breaks.poll();
        int sent = 0;
        // The event at after_sequence is repeated on purpose: a client must not show it twice.
        for (int sequence = Math.max(after, 1); sequence <= last; sequence++) {
            if ((breakAfter > 0 && sent > breakAfter) || (breakHere != null && sent == breakHere)) {
                observer.onError(gone());
                return;
            }
            if (Context.current().isCancelled()) {
                return;
            }
            if (leaveAfter > 0 && sent > leaveAfter) {
                break;
            }
            String type = sequence == last ? "run_completed" : "agent_completed";
            observer.onNext(RunEvent.newBuilder().setEventType(type).setRunId(runId).setSequence(sequence).build());
            sent++;
        }
        observer.onCompleted();
    }

    private void answer(StreamObserver<RunResponse> observer, String output) {
        RuntimeException refusal = refusals.poll();
        if (refusal != null) {
            observer.onError(refusal);
            return;
        }
        observer.onNext(RunResponse.newBuilder()
                .setRunId("run_1")
                .setStatus("completed")
                .setOutput(output)
                .setLedgerHead(LedgerHead.newBuilder().setSequence(last))
                .build());
        observer.onCompleted();
    }

    private final class Tokens implements ServerInterceptor {
        @Override
        public <Q, A> ServerCall.Listener<Q> interceptCall(
                ServerCall<Q, A> call, Metadata headers, ServerCallHandler<Q, A> next) {
            String token = headers.get(Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER));
            tokens.add(String.valueOf(token));
            return next.startCall(call, headers);
        }
    }
}
