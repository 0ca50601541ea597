package dev.meshflow;

import com.google.api.HttpBody;
import io.grpc.CallOptions;
import io.grpc.ClientCall;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.ClientCallStreamObserver;
import io.grpc.stub.ClientCalls;
import io.grpc.stub.ClientResponseObserver;
import io.grpc.stub.StreamObserver;
import java.io.ByteArrayOutputStream;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;

/** A channel to one server, and how calls over it behave. */
record Connection(
        ManagedChannel managed, io.grpc.Channel channel, Duration deadline, int reconnects, Duration reconnectDelay) {
    static final Duration MAX_RECONNECT_DELAY = Duration.ofSeconds(5);

    /** Returns options with a deadline, or without one for null. */
    static CallOptions options(Duration deadline) {
        return deadline == null
                ? CallOptions.DEFAULT
                : CallOptions.DEFAULT.withDeadlineAfter(deadline.toNanos(), TimeUnit.NANOSECONDS);
    }

    /** Makes a call with one answer. Cancelling the future cancels the call. */
    <Q, A> CompletableFuture<A> call(MethodDescriptor<Q, A> method, CallOptions options, Q request) {
        return answer(method, options, request, ClientCalls::asyncUnaryCall, new One<>());
    }

    /** Makes a call with an answer in pieces, gathered in {@code gathered}. Cancelling the future cancels the call. */
    <Q, P, A> CompletableFuture<A> gather(
            MethodDescriptor<Q, P> method, CallOptions options, Q request, Answer<P, A> gathered) {
        return answer(method, options, request, ClientCalls::asyncServerStreamingCall, gathered);
    }

    /** Makes a call whose answers a reader is told, one by one, until it wants no more. Cancelling the future cancels the call. */
    <Q, P> CompletableFuture<Void> read(
            MethodDescriptor<Q, P> method, CallOptions options, Q request, Predicate<P> reader) {
        CompletableFuture<Void> read = new CompletableFuture<>();
        ClientCalls.asyncServerStreamingCall(
                channel.newCall(method, options), request, new Reader<Q, P>(read, reader));
        return read;
    }

    private <Q, P, A> CompletableFuture<A> answer(
            MethodDescriptor<Q, P> method, CallOptions options, Q request, Start<Q, P> start, Answer<P, A> answer) {
        ClientCall<Q, P> call = channel.newCall(method, options);
        answer.future.whenComplete((value, failure) -> {
            if (answer.future.isCancelled()) {
                call.cancel("cancelled by the caller", null);
            }
        });
        start.accept(call, request, answer);
        return answer.future;
    }

    /** Returns the pause before the next attempt after so many that broke. */
    Duration pause(int broken) {
        Duration delay = reconnectDelay.multipliedBy(1L << Math.min(broken, 16));
        return delay.compareTo(MAX_RECONNECT_DELAY) < 0 ? delay : MAX_RECONNECT_DELAY;
    }

    @FunctionalInterface
    private interface Start<Q, P> {
        void accept(ClientCall<Q, P> call, Q request, StreamObserver<P> observer);
    }

    /** An answer that completes a future when it is whole. */
    abstract static class Answer<P, A> implements StreamObserver<P> {
        final CompletableFuture<A> future = new CompletableFuture<>();

        abstract A whole();

        @Override
        public void onError(Throwable failure) {
            future.completeExceptionally(failureOf(failure));
        }

        @Override
        public void onCompleted() {
            future.complete(whole());
        }
    }

    /** Hands each answer to a predicate; false ends the call. */
    private static final class Reader<Q, P> implements ClientResponseObserver<Q, P> {
        private final CompletableFuture<Void> read;
        private final Predicate<P> wanted;
        private ClientCallStreamObserver<Q> call;

        Reader(CompletableFuture<Void> read, Predicate<P> wanted) {
            this.read = read;
            this.wanted = wanted;
        }

        @Override
        public void beforeStart(ClientCallStreamObserver<Q> started) {
            call = started;
            read.whenComplete((nothing, failure) -> call.cancel("the reader left", null));
        }

        @Override
        public void onNext(P answer) {
            try {
                if (!read.isDone() && !wanted.test(answer)) {
                    read.complete(null);
                }
            } catch (RuntimeException failure) {
                read.completeExceptionally(failure);
            }
        }

        @Override
        public void onError(Throwable failure) {
            read.completeExceptionally(failureOf(failure));
        }

        @Override
        public void onCompleted() {
            read.complete(null);
        }
    }

    private static final class One<A> extends Answer<A, A> {
        private A value;

        @Override
        public void onNext(A answer) {
            value = answer;
        }

        @Override
        A whole() {
            return value;
        }
    }

    /** The bytes of a file that comes in pieces. */
    static final class Pieces extends Answer<HttpBody, byte[]> {
        private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();

        @Override
        public void onNext(HttpBody piece) {
            bytes.writeBytes(piece.getData().toByteArray());
        }

        @Override
        byte[] whole() {
            return bytes.toByteArray();
        }
    }

    static MeshflowException failureOf(Throwable failure) {
        if (failure instanceof MeshflowException known) {
            return known;
        }
        Metadata trailers = failure instanceof StatusRuntimeException answer ? answer.getTrailers() : null;
        return MeshflowException.of(Status.fromThrowable(failure), trailers);
    }

    /** Runs the task after the delay, on a daemon thread. */
    static void later(Duration delay, Runnable task) {
        CompletableFuture.delayedExecutor(delay.toNanos(), TimeUnit.NANOSECONDS).execute(task);
    }
}
