package dev.meshflow;

import dev.meshflow.v1.GetRunRequest;
import dev.meshflow.v1.RunEvent;
import dev.meshflow.v1.RunResponse;
import dev.meshflow.v1.RunServiceGrpc;
import io.grpc.CallOptions;
import io.grpc.ClientCall;
import io.grpc.Context;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.SynchronizationContext;
import java.util.Set;
import java.util.concurrent.Flow;

/**
 * One subscriber's way through a run's events. All state belongs to {@code serial}; the subscriber's demand is the call's.
 */
final class EventSubscription implements Flow.Subscription {
    private static final Set<Status.Code> BROKEN =
            Set.of(Status.Code.UNAVAILABLE, Status.Code.UNKNOWN, Status.Code.INTERNAL, Status.Code.CANCELLED);
    private static final Set<Reason> PASSING =
            Set.of(Reason.NONE, Reason.DRAINING, Reason.NOT_READY, Reason.LEDGER_UNAVAILABLE);

    private final Connection connection;
    private final EventSource<?> source;
    private final CallOptions options;
    private final Flow.Subscriber<? super RunEvent> subscriber;
    private final Context context = Context.current();
    private final SynchronizationContext serial = new SynchronizationContext((thread, failure) -> broken(failure));
    private ClientCall<?, RunEvent> call;
    private long demand;
    private int after;
    private int breaks;
    private boolean ended;
    private boolean done;

    EventSubscription(
            Connection connection, EventSource<?> source, CallOptions options, Flow.Subscriber<? super RunEvent> subscriber) {
        this.connection = connection;
        this.source = source;
        this.options = options;
        this.subscriber = subscriber;
        this.after = source.after();
    }

    void start() {
        serial.execute(() -> {
            subscriber.onSubscribe(this);
            open();
        });
    }

    /** Tells a second subscriber of a run's own stream that there is only one. */
    void refuse() {
        serial.execute(() -> {
            subscriber.onSubscribe(this);
            fail(new IllegalStateException("the run's events are for one subscriber; watch the run for more"));
        });
    }

    @Override
    public void request(long n) {
        serial.execute(() -> {
            if (n <= 0) {
                fail(new IllegalArgumentException("request(" + n + "): demand must be positive (Reactive Streams 3.9)"));
            } else if (!done) {
                demand = demand + n < 0 ? Long.MAX_VALUE : demand + n;
                ask(n);
            }
        });
    }

    @Override
    public void cancel() {
        serial.execute(this::finish);
    }

    private void open() {
        if (!done) {
            context.run(() -> call = source.open(connection, options, after, new Listener()));
            ask(demand);
        }
    }

    private void ask(long n) {
        if (call != null && n > 0) {
            call.request((int) Math.min(n, Integer.MAX_VALUE));
        }
    }

    private void finish() {
        done = true;
        if (call != null) {
            call.cancel("the subscriber wants no more", null);
            call = null;
        }
    }

    private void complete() {
        if (!done) {
            finish();
            subscriber.onComplete();
        }
    }

    private void fail(Throwable failure) {
        if (!done) {
            finish();
            subscriber.onError(failure);
        }
    }

    /** A subscriber that throws has cancelled its subscription (Reactive Streams 2.13). */
    private void broken(Throwable failure) {
        finish();
        Thread thread = Thread.currentThread();
        thread.getUncaughtExceptionHandler().uncaughtException(thread, failure);
    }

    private void accept(RunEvent event) {
        if (event.hasSequence() && event.getSequence() <= after) {
            ask(1); // Shown before the break; it does not count as asked for.
            return;
        }
        after = event.hasSequence() ? event.getSequence() : after;
        breaks = 0;
        demand -= demand == Long.MAX_VALUE ? 0 : 1;
        ended = event.getEventType().equals("run_completed");
        subscriber.onNext(event);
    }

    private void closed(Status status, Metadata trailers) {
        call = null;
        if (ended) {
            complete();
        } else if (!status.isOk()) {
            resume(MeshflowException.of(status, trailers));
        } else if (source.endsWithTheStream()) {
            complete();
        } else {
            askWhetherEnded();
        }
    }

    private void resume(MeshflowException failure) {
        boolean stopped = context.isCancelled() || connection.managed().isShutdown();
        boolean passing = BROKEN.contains(failure.code()) && PASSING.contains(failure.reason());
        if (passing && !stopped && breaks < connection.reconnects()) {
            openLater();
        } else {
            fail(failure);
        }
    }

    private void openLater() {
        Connection.later(connection.pause(breaks), () -> serial.execute(() -> {
            connection.managed().resetConnectBackoff();
            open();
        }));
        breaks++;
    }

    /** A stream that ended without run_completed: the run may have ended before {@code after}, or the server is leaving. */
    private void askWhetherEnded() {
        GetRunRequest request = GetRunRequest.newBuilder().setRunId(source.runId()).build();
        CallOptions limits = options.getDeadline() == null ? Connection.options(connection.deadline()) : options;
        context.run(() -> connection.call(RunServiceGrpc.getGetRunMethod(), limits, request)
                .whenComplete((run, failure) -> serial.execute(() -> told(run, failure))));
    }

    private void told(RunResponse run, Throwable failure) {
        if (done) {
            return;
        }
        if (failure != null) {
            resume(Connection.failureOf(failure));
        } else if (ended(run) && run.getLedgerHead().getSequence() <= after) {
            complete();
        } else if (breaks < connection.reconnects()) {
            openLater();
        } else {
            fail(MeshflowException.of(Status.UNAVAILABLE.withDescription("the stream ended before the run did"), null));
        }
    }

    private static boolean ended(RunResponse run) {
        return !run.getStatus().equals("running") && !run.getStatus().equals("paused");
    }

    private final class Listener extends ClientCall.Listener<RunEvent> {
        private void ifCurrent(Runnable task) {
            serial.execute(() -> {
                if (!done) {
                    task.run();
                }
            });
        }

        @Override
        public void onMessage(RunEvent event) {
            ifCurrent(() -> accept(event));
        }

        @Override
        public void onClose(Status status, Metadata trailers) {
            ifCurrent(() -> closed(status, trailers));
        }
    }
}
