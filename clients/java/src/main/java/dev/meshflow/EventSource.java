package dev.meshflow;

import dev.meshflow.v1.RunEvent;
import dev.meshflow.v1.RunRequest;
import dev.meshflow.v1.RunServiceGrpc;
import dev.meshflow.v1.WatchRunRequest;
import io.grpc.CallOptions;
import io.grpc.ClientCall;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;

/** What to stream: a run that begins with the stream, or one that goes on without it. */
sealed interface EventSource<Q> {
    MethodDescriptor<Q, RunEvent> method();

    Q request(int after);

    int after();

    /** Whether a stream that ends without an error and without run_completed has shown all there is. */
    boolean endsWithTheStream();

    String runId();

    default ClientCall<Q, RunEvent> open(
            Connection connection, CallOptions options, int after, ClientCall.Listener<RunEvent> listener) {
        ClientCall<Q, RunEvent> call = connection.channel().newCall(method(), options);
        call.start(listener, new Metadata());
        call.sendMessage(request(after));
        call.halfClose();
        return call;
    }

    /**
     * StreamRun: the run begins with the call, and ends or waits for a human where the stream ends. Made again it attaches to
     * the run, under the request's id, and shows it from its beginning.
     */
    record Started(RunRequest request) implements EventSource<RunRequest> {
        @Override
        public MethodDescriptor<RunRequest, RunEvent> method() {
            return RunServiceGrpc.getStreamRunMethod();
        }

        @Override
        public RunRequest request(int after) {
            return request;
        }

        @Override
        public int after() {
            return 0;
        }

        @Override
        public boolean endsWithTheStream() {
            return true;
        }

        @Override
        public String runId() {
            return "";
        }
    }

    /** WatchRun: the run goes on without the call. */
    record Watched(String runId, WatchOptions options) implements EventSource<WatchRunRequest> {
        @Override
        public MethodDescriptor<WatchRunRequest, RunEvent> method() {
            return RunServiceGrpc.getWatchRunMethod();
        }

        @Override
        public WatchRunRequest request(int after) {
            return WatchRunRequest.newBuilder()
                    .setRunId(runId)
                    .setAfterSequence(after)
                    .setEventView(options.eventView())
                    .build();
        }

        @Override
        public int after() {
            return options.afterSequence();
        }

        @Override
        public boolean endsWithTheStream() {
            return false;
        }
    }
}
