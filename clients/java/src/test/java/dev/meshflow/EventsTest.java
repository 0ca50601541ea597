package dev.meshflow;

import static dev.meshflow.ScriptedServer.info;
import static dev.meshflow.ScriptedServer.refusal;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.meshflow.v1.RunEvent;
import dev.meshflow.v1.RunRequest;
import io.grpc.Status;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Flow;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Events as a loop and as a publisher: order, breaks, ends. */
@Timeout(30)
final class EventsTest {
    private static final RunRequest TASK = RunRequest.newBuilder().setTask("x").build();
    private ScriptedServer server;
    private MeshflowClient client;

    @BeforeEach
    void start() throws Exception {
        server = new ScriptedServer();
        client = server.client();
    }

    @AfterEach
    void stop() throws Exception {
        client.close();
        server.close();
    }

    private static List<Integer> oneTo(int last) {
        return IntStream.rangeClosed(1, last).boxed().toList();
    }

    private List<Integer> watched() {
        try (EventStream events = client.watch("run_1"); Stream<RunEvent> all = events.stream()) {
            return all.map(RunEvent::getSequence).toList();
        }
    }

    /** A watch goes on after each break from the last sequence: no event is lost, none shown twice. */
    @Test
    void aWatchResumes() {
        server.last = 7;
        server.breakAfter = 2;
        assertEquals(oneTo(7), watched());
        assertEquals(List.of(0, 3, 5), server.watches);
    }

    /** So does one whose server leaves politely, before the run has ended. */
    @Test
    void aWatchResumesAfterAnEarlyEnd() {
        server.last = 7;
        server.leaveAfter = 3;
        assertEquals(oneTo(7), watched());
        assertEquals(List.of(0, 4), server.watches);
    }

    /** A watch from the end of an ended run is empty. */
    @Test
    void aWatchFromTheEndIsEmpty() {
        server.last = 7;
        try (EventStream events = client.watch("run_1", WatchOptions.DEFAULT.after(7))) {
            assertFalse(events.hasNext());
            assertThrows(NoSuchElementException.class, events::next);
        }
    }

    /** More events than the stream reads ahead arrive in order. */
    @Test
    void manyEventsArrive() {
        server.last = 1000;
        server.breakAfter = 300;
        assertEquals(oneTo(1000), watched());
    }

    /** A server that refuses on purpose ends the watch at once, and an unreachable one after the allowed reconnects. */
    @Test
    void aWatchGivesUp() {
        server.refusals.add(refusal(Status.Code.NOT_FOUND, info("RUN_NOT_FOUND")));
        assertEquals(Reason.RUN_NOT_FOUND, assertThrows(MeshflowException.class, this::watched).reason());
        assertEquals(1, server.watches.size());

        server.watches.clear();
        IntStream.range(0, 100).forEach(i -> server.refusals.add(Status.INTERNAL.asRuntimeException()));
        assertEquals(Status.Code.INTERNAL, assertThrows(MeshflowException.class, this::watched).code());
        assertEquals(4, server.watches.size());
    }

    private List<Integer> streamed() {
        try (EventStream events = client.streamRun(TASK); Stream<RunEvent> all = events.stream()) {
            return all.map(RunEvent::getSequence).toList();
        }
    }

    /** A run's own stream goes on after each break, under the same request id; what was shown is not shown again. */
    @Test
    void aStreamedRunResumes() {
        server.last = 4;
        server.breaks.addAll(List.of(1, 2));
        assertEquals(oneTo(4), streamed());
        assertEquals(3, server.requests.size());
        assertFalse(server.requests.get(0).getRequestId().isEmpty());
        assertEquals(1, server.requests.stream().map(RunRequest::getRequestId).distinct().count());
    }

    /** One that ends without an error ends there, where the run waits for a human: it is not asked for again. */
    @Test
    void aStreamedRunEndsWhereItWaits() {
        server.last = 7;
        server.leaveAfter = 2;
        assertEquals(oneTo(3), streamed());
        assertEquals(1, server.requests.size());
    }

    /** A server that refuses a run on purpose is asked once, one that keeps breaking off as often as allowed. */
    @Test
    void aStreamedRunGivesUp() {
        server.refusals.add(refusal(Status.Code.INVALID_ARGUMENT, info("INVALID_REQUEST")));
        assertEquals(Reason.INVALID_REQUEST, assertThrows(MeshflowException.class, this::streamed).reason());
        assertEquals(1, server.requests.size());

        IntStream.range(0, 100).forEach(i -> server.refusals.add(Status.INTERNAL.asRuntimeException()));
        assertEquals(Status.Code.INTERNAL, assertThrows(MeshflowException.class, this::streamed).code());
        assertEquals(1 + 4, server.requests.size());
    }

    private static int sequence(EventStream events) {
        return events.next().getSequence();
    }

    /** Closing ends the stream for its reader. */
    @Test
    void closingEndsTheEvents() {
        server.last = 1000;
        EventStream events = client.streamRun(TASK);
        assertEquals(1, sequence(events));
        events.close();
        assertFalse(events.hasNext());
    }

    /** A publisher sends what was asked for and no more, across breaks. */
    @Test
    void demandIsKept() throws Exception {
        server.last = 7;
        server.breakAfter = 2;
        Collector collector = new Collector(4);
        client.async().watch("run_1").subscribe(collector);
        assertTrue(collector.arrived.await(10, TimeUnit.SECONDS));
        assertEquals(oneTo(4), collector.sequences);
        collector.subscription.request(Long.MAX_VALUE);
        assertTrue(collector.ended.await(10, TimeUnit.SECONDS));
        assertEquals(oneTo(7), collector.sequences);
        assertEquals(null, collector.failure);
    }

    /** A demand that is none is an error of the subscriber's. */
    @Test
    void demandMustBePositive() throws Exception {
        Collector collector = new Collector(0);
        client.async().watch("run_1").subscribe(collector);
        assertTrue(collector.ended.await(10, TimeUnit.SECONDS));
        assertInstanceOf(IllegalArgumentException.class, collector.failure);
    }

    /** Each subscriber of a watch gets all events; a run's own stream has one subscriber. */
    @Test
    void subscribersAreServedApart() throws Exception {
        server.last = 5;
        Flow.Publisher<RunEvent> watch = client.async().watch("run_1");
        Flow.Publisher<RunEvent> started = client.async().streamRun(TASK);
        for (Flow.Publisher<RunEvent> publisher : List.of(watch, watch, started)) {
            Collector collector = new Collector(Long.MAX_VALUE);
            publisher.subscribe(collector);
            assertTrue(collector.ended.await(10, TimeUnit.SECONDS));
            assertEquals(oneTo(5), collector.sequences);
        }
        Collector second = new Collector(Long.MAX_VALUE);
        started.subscribe(second);
        assertTrue(second.ended.await(10, TimeUnit.SECONDS));
        assertInstanceOf(IllegalStateException.class, second.failure);
        assertEquals(1, server.requests.size());
    }

    /** Cancelling a subscription ends the run's own stream at the server. */
    @Test
    void cancellingDisconnects() throws Exception {
        server.last = 100_000;
        Collector collector = new Collector(1);
        client.async().streamRun(TASK).subscribe(collector);
        assertTrue(collector.arrived.await(10, TimeUnit.SECONDS));
        collector.subscription.cancel();
        assertTrue(server.cancelled.await(10, TimeUnit.SECONDS));
        assertEquals(List.of(1), collector.sequences);
    }

    /** Closing the client ends a watch at once instead of reconnecting. */
    @Test
    void closingTheClientEndsItsWatches() throws Exception {
        server.last = 7;
        Collector collector = new Collector(1);
        client.async().watch("run_1").subscribe(collector);
        assertTrue(collector.arrived.await(10, TimeUnit.SECONDS));
        client.close();
        collector.subscription.request(Long.MAX_VALUE);
        assertTrue(collector.ended.await(10, TimeUnit.SECONDS));
        assertEquals(1, server.watches.size());
    }

    /** Keeps what it is sent. */
    private static final class Collector implements Flow.Subscriber<RunEvent> {
        final List<Integer> sequences = new CopyOnWriteArrayList<>();
        final CountDownLatch arrived;
        final CountDownLatch ended = new CountDownLatch(1);
        volatile Flow.Subscription subscription;
        volatile Throwable failure;
        private final long demand;

        Collector(long demand) {
            this.demand = demand;
            this.arrived = new CountDownLatch((int) Math.min(demand, 1000));
        }

        @Override
        public void onSubscribe(Flow.Subscription given) {
            subscription = given;
            given.request(demand);
        }

        @Override
        public void onNext(RunEvent event) {
            sequences.add(event.getSequence());
            arrived.countDown();
        }

        @Override
        public void onError(Throwable error) {
            failure = error;
            ended.countDown();
        }

        @Override
        public void onComplete() {
            ended.countDown();
        }
    }
}
