package dev.meshflow;

import dev.meshflow.v1.RunEvent;
import io.grpc.Status;
import java.util.Iterator;
import java.util.NoSuchElementException;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.Flow;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;

/**
 * A run's events for a loop: {@link #hasNext()} waits for the next one. Close it to leave early, best by
 * try-with-resources; the end of the events closes it too. For one thread, and for one pass.
 */
public final class EventStream implements Iterable<RunEvent>, Iterator<RunEvent>, AutoCloseable {
    private static final int AHEAD = 32;

    /** An event, the end (neither) or a failure. */
    private record Signal(RunEvent event, Throwable failure) {}

    private final BlockingQueue<Signal> signals = new LinkedBlockingQueue<>();
    private final Reader reader = new Reader();
    private Signal next;

    EventStream(Flow.Publisher<RunEvent> events) {
        events.subscribe(reader);
    }

    /**
     * Waits for the next event.
     *
     * @return whether there is one; false once the events have ended or the stream was closed
     * @throws MeshflowException when the events broke off, or the thread was interrupted ({@code CANCELLED})
     */
    @Override
    public boolean hasNext() {
        if (next == null) {
            next = take();
        }
        if (next.failure != null) {
            throw Connection.failureOf(next.failure).here();
        }
        return next.event != null;
    }

    /**
     * Waits for the next event and returns it.
     *
     * @return the event
     * @throws NoSuchElementException when the events have ended
     * @throws MeshflowException when the events broke off, or the thread was interrupted ({@code CANCELLED})
     */
    @Override
    public RunEvent next() {
        if (!hasNext()) {
            throw new NoSuchElementException("the events have ended");
        }
        RunEvent event = next.event;
        next = null;
        reader.subscription.request(1);
        return event;
    }

    /**
     * Returns this stream itself: it can be passed once.
     *
     * @return this
     */
    @Override
    public Iterator<RunEvent> iterator() {
        return this;
    }

    /**
     * Returns the events as a sequential stream of the standard library; closing that one closes this one.
     *
     * @return the stream
     */
    public Stream<RunEvent> stream() {
        return StreamSupport.stream(spliterator(), false).onClose(this::close);
    }

    /** Ends the stream. One that began its run thereby leaves it; a watched run goes on. */
    @Override
    public void close() {
        reader.subscription.cancel();
        next = new Signal(null, null);
    }

    private Signal take() {
        try {
            return signals.take();
        } catch (InterruptedException interrupted) {
            close();
            Thread.currentThread().interrupt();
            throw MeshflowException.of(Status.CANCELLED.withDescription("interrupted").withCause(interrupted), null);
        }
    }

    private final class Reader implements Flow.Subscriber<RunEvent> {
        // Set before the constructor of the stream returns: subscribing calls onSubscribe on the same thread.
        private Flow.Subscription subscription;

        @Override
        public void onSubscribe(Flow.Subscription given) {
            subscription = given;
            given.request(AHEAD);
        }

        @Override
        public void onNext(RunEvent event) {
            signals.add(new Signal(event, null));
        }

        @Override
        public void onError(Throwable failure) {
            signals.add(new Signal(null, failure));
        }

        @Override
        public void onComplete() {
            signals.add(new Signal(null, null));
        }
    }
}
