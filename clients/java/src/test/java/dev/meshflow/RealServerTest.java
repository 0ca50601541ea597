package dev.meshflow;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.meshflow.PolicyBuilder.Mode;
import dev.meshflow.v1.ForkRunRequest;
import dev.meshflow.v1.GetTreeHeadResponse;
import dev.meshflow.v1.InclusionProof;
import dev.meshflow.v1.LedgerEntry;
import dev.meshflow.v1.ListApprovalsRequest;
import dev.meshflow.v1.ListEntriesRequest;
import dev.meshflow.v1.ListRunsRequest;
import dev.meshflow.v1.ListWorkflowsRequest;
import dev.meshflow.v1.MeshChange;
import dev.meshflow.v1.MeshNode;
import dev.meshflow.v1.RegisterNodeRequest;
import dev.meshflow.v1.ResolveNodeRequest;
import dev.meshflow.v1.RunEvent;
import dev.meshflow.v1.RunRequest;
import dev.meshflow.v1.RunResponse;
import dev.meshflow.v1.VerifyRunResponse;
import io.grpc.Status;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledIfEnvironmentVariable;

/** Against the server that MESHFLOW_TEST_ADDRESS names. */
@EnabledIfEnvironmentVariable(named = "MESHFLOW_TEST_ADDRESS", matches = ".+")
@Timeout(60)
final class RealServerTest {
    private static MeshflowClient client;

    @BeforeAll
    static void dial() {
        client = MeshflowClient.builder().address(System.getenv("MESHFLOW_TEST_ADDRESS")).build();
    }

    @AfterAll
    static void close() {
        client.close();
    }

    private static RunRequest task(String task) {
        return RunRequest.newBuilder().setTask(task).build();
    }

    /** A run completes, is found again and its chain verifies. */
    @Test
    void aRunIsFoundAgainAndVerifies() {
        RunResponse run = client.run(task("Grüße, 世界 🌍"));
        assertEquals("completed", run.getStatus());
        assertTrue(run.getTotalTokens() > 0);
        assertTrue(run.getOutput().contains("Grüße, 世界 🌍"));
        assertEquals(run.getOutput(), client.getRun(run.getRunId()).getOutput());
        VerifyRunResponse verification = client.verifyRun(run.getRunId());
        assertTrue(verification.getValid());
        assertEquals(run.getLedgerEntries(), verification.getEntriesChecked());
        ListEntriesRequest all = ListEntriesRequest.newBuilder().setRunId(run.getRunId()).build();
        assertEquals(run.getLedgerEntries(), client.listEntries(all).getEntriesCount());
        assertEquals(1, client.listRuns(ListRunsRequest.newBuilder().setPageSize(1).build()).getRunsCount());
        assertTrue(client.health().getOk());
    }

    /** The same request id is the same run, and another request under it is refused with a typed reason. */
    @Test
    void aRequestIdIsOneRun() {
        RunRequest request = task("once").toBuilder().setRequestId("java-" + UUID.randomUUID()).build();
        RunResponse first = client.createRun(request);
        assertEquals(first.getRunId(), client.createRun(request).getRunId());
        RunRequest other = request.toBuilder().setTask("another").build();
        MeshflowException failure = assertThrows(MeshflowException.class, () -> client.createRun(other));
        assertEquals(Reason.REQUEST_ID_REUSED, failure.reason());
        assertEquals(Status.Code.ALREADY_EXISTS, failure.code());
        assertEquals("completed", client.waitRun(first.getRunId(), Duration.ofSeconds(20)).getStatus());
    }

    /** Calls that do not wait for each other complete as futures. */
    @Test
    void runsGoOnTogether() {
        AsyncMeshflowClient async = client.async();
        List<CompletableFuture<RunResponse>> runs =
                List.of(async.run(task("a")), async.run(task("b")), async.run(task("c")));
        assertTrue(runs.stream().allMatch(run -> run.join().getStatus().equals("completed")));
    }

    /** A stream and a watch show the same replayable events. */
    @Test
    void aWatchShowsWhatTheStreamDid() {
        List<RunEvent> streamed = new ArrayList<>();
        try (EventStream events = client.streamRun(task("x"))) {
            events.forEach(streamed::add);
        }
        RunEvent last = streamed.get(streamed.size() - 1);
        assertEquals("run_completed", last.getEventType());
        assertTrue(streamed.size() > 2);
        List<RunEvent> watched = new ArrayList<>();
        client.watch(last.getRunId(), WatchOptions.DEFAULT.after(1)).forEachRemaining(watched::add);
        assertEquals(streamed.subList(1, streamed.size()), watched);
        long full = client.watch(last.getRunId(), WatchOptions.DEFAULT.full()).stream().count();
        assertTrue(full >= streamed.size(), "the full view shows no less");
    }

    /** A refusal by governance is an outcome; a request that cannot be is an error naming the field. */
    @Test
    void refusalsAreOutcomesAndErrorsAreTyped() {
        RunRequest poor = task("x").toBuilder().setPolicy(PolicyBuilder.create().budgetUsd(0.0000001).build()).build();
        RunResponse run = client.run(poor);
        assertEquals("blocked", run.getStatus());
        assertEquals("budget_check", run.getBlockedBy());
        assertFalse(client.checkRun(poor).getAdmissible());
        RunRequest wrong = task("x").toBuilder().setPolicy(PolicyBuilder.create().budgetUsd(-1).build()).build();
        MeshflowException failure = assertThrows(MeshflowException.class, () -> client.run(wrong));
        assertEquals(Reason.INVALID_REQUEST, failure.reason());
        assertEquals(List.of("policy.budget_usd"), failure.violations().stream().map(v -> v.field()).toList());
        failure = assertThrows(MeshflowException.class, () -> client.getRun("run_00000000-0000-7000-8000-000000000000"));
        assertEquals(Reason.RUN_NOT_FOUND, failure.reason());
        assertEquals("blocked", client.cancelRun(run.getRunId(), "enough").getStatus());
    }

    /** Every value of the policy builder's enums is one the server knows. */
    @Test
    void theServerKnowsWhatThePolicyBuilderSays() {
        for (Mode mode : Mode.values()) {
            assertKnown(PolicyBuilder.create().mode(mode));
        }
        for (PolicyBuilder.RiskTier tier : PolicyBuilder.RiskTier.values()) {
            assertKnown(PolicyBuilder.create().humanApproval(tier));
        }
        for (PolicyBuilder.OnTimeout then : PolicyBuilder.OnTimeout.values()) {
            assertKnown(PolicyBuilder.create().approvalTimeout(Duration.ofMinutes(5), then));
        }
        for (PolicyBuilder.Effect effect : PolicyBuilder.Effect.values()) {
            assertKnown(PolicyBuilder.create().rule("r", effect, "agent.id == 'nobody'"));
        }
    }

    private static void assertKnown(PolicyBuilder policy) {
        client.checkRun(task("x").toBuilder().setPolicy(policy.build()).build());
    }

    /** A fork is a run of its own, and the two can be compared. */
    @Test
    void aForkGoesOnFromAnEarlierRun() {
        RunResponse run = client.run(task("x"));
        ForkRunRequest request = ForkRunRequest.newBuilder().setRunId(run.getRunId()).setBeforeNode("writer").build();
        RunResponse fork = client.forkRun(request);
        RunResponse done = client.waitRun(fork.getRunId(), Duration.ofSeconds(20));
        assertEquals("completed", done.getStatus());
        assertEquals(List.of("writer"), client.diffRuns(run.getRunId(), fork.getRunId()).getCommonList());
    }

    /** The evidence of a run: its export, and a proof of its first entry's place in the signed log. */
    @Test
    void evidenceIsAtHand() throws Exception {
        RunResponse run = client.run(task("x"));
        String export = new String(client.exportRun(run.getRunId(), "json"), StandardCharsets.UTF_8);
        assertTrue(export.contains(run.getRunId()));
        ListEntriesRequest all = ListEntriesRequest.newBuilder().setRunId(run.getRunId()).build();
        LedgerEntry entry = client.listEntries(all).getEntries(0);
        InclusionProof proof = client.inclusionProof(run.getRunId(), 1).getProof();
        assertEquals(entry.getSeq(), proof.getSeq());
        MessageDigest hash = MessageDigest.getInstance("SHA-256");
        hash.update((byte) 0);
        assertArrayEquals(hash.digest(entry.getRecord().getBytes(StandardCharsets.UTF_8)), proof.getLeafHash().toByteArray());
        GetTreeHeadResponse head = client.treeHead();
        assertTrue(head.getHead().getSize() >= proof.getTreeSize());
        assertEquals(proof.getTreeSize(), client.consistencyProof(1, proof.getTreeSize()).getProof().getSecond());
        assertEquals("run_finished", lastKind(run));
    }

    /** Erasure is for administrators: anyone else learns so by a typed reason. */
    @Test
    void erasureNeedsARole() {
        RunResponse run = client.run(task("x"));
        MeshflowException failure =
                assertThrows(MeshflowException.class, () -> client.eraseRun(run.getRunId(), "gdpr art. 17(1)(b)"));
        assertEquals(Reason.PERMISSION_DENIED, failure.reason());
    }

    private static String lastKind(RunResponse run) {
        ListEntriesRequest all = ListEntriesRequest.newBuilder().setRunId(run.getRunId()).build();
        List<LedgerEntry> entries = client.listEntries(all).getEntriesList();
        return entries.get(entries.size() - 1).getKind();
    }

    /** No approvals of a run that asked for none. */
    @Test
    void approvalsAreListed() {
        RunResponse run = client.run(task("x"));
        ListApprovalsRequest request = ListApprovalsRequest.newBuilder().setRunId(run.getRunId()).build();
        assertEquals(0, client.listApprovals(request).getApprovalsCount());
        MeshflowException failure = assertThrows(MeshflowException.class, () -> client.getApproval("appr_none"));
        assertEquals(Reason.APPROVAL_NOT_FOUND, failure.reason());
    }

    /** A registered workflow runs by its name; one that is wrong is told what is. */
    @Test
    void workflowsAreRegistered() {
        String name = "java-" + UUID.randomUUID();
        String yaml = "name: " + name + "\nversion: '1'\nentry: a\nnodes:\n  a: {mock: {output: done}}\n";
        assertTrue(client.validateWorkflow(yaml).getValid());
        assertFalse(client.validateWorkflow("name: x").getValid());
        assertEquals(client.putWorkflow(yaml), client.getWorkflow(name + "@1"));
        ListWorkflowsRequest versions = ListWorkflowsRequest.newBuilder().setName(name).build();
        assertEquals(1, client.listWorkflows(versions).getWorkflowsCount());
        assertEquals("done", client.run(task("x").toBuilder().setWorkflow(name).build()).getOutput());
    }

    /** The node is listed, found by its work and told of; registering others takes a role. */
    @Test
    void theMeshIsShown() {
        MeshNode node = client.listNodes().getNodes(0);
        assertEquals("build.ai", node.getSlug());
        assertTrue(node.getLive());
        ResolveNodeRequest builders = ResolveNodeRequest.newBuilder().setConcern("build").build();
        assertEquals(node.getNodeId(), client.resolveNode(builders).getNodes(0).getNodeId());
        ResolveNodeRequest nobody = ResolveNodeRequest.newBuilder().setSlug("nobody.ai").build();
        MeshflowException missing = assertThrows(MeshflowException.class, () -> client.resolveNode(nobody));
        assertEquals(Reason.NODE_NOT_FOUND, missing.reason());
        List<MeshChange> seen = new ArrayList<>();
        client.watchMesh(0, change -> {
            seen.add(change);
            return false;
        });
        assertEquals("node_registered", seen.get(0).getKind());
        assertEquals(1, seen.size());
        CompletableFuture<Void> left = client.async().watchMesh(1, change -> true);
        assertTrue(left.cancel(true));
        RegisterNodeRequest agent =
                RegisterNodeRequest.newBuilder().setSlug("agent.ai").addEndpoints("127.0.0.1:1").build();
        MeshflowException refused = assertThrows(MeshflowException.class, () -> client.registerNode(agent));
        assertEquals(Reason.PERMISSION_DENIED, refused.reason());
        assertThrows(MeshflowException.class, () -> client.heartbeat(node.getNodeId()));
    }

    /** A deadline ends the call with DEADLINE_EXCEEDED. */
    @Test
    void aDeadlineEndsTheCall() {
        MeshflowClient hasty = client.withDeadline(Duration.ofNanos(1));
        MeshflowException failure = assertThrows(MeshflowException.class, () -> hasty.run(task("x")));
        assertEquals(Status.Code.DEADLINE_EXCEEDED, failure.code());
    }
}
