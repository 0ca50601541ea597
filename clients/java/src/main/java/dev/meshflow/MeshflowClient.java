package dev.meshflow;

import dev.meshflow.v1.Approval;
import dev.meshflow.v1.ApproveWorkflowRequest;
import dev.meshflow.v1.CheckRunResponse;
import dev.meshflow.v1.DecideApprovalRequest;
import dev.meshflow.v1.DiffRunsResponse;
import dev.meshflow.v1.EraseRunResponse;
import dev.meshflow.v1.ForkRunRequest;
import dev.meshflow.v1.GetConsistencyProofResponse;
import dev.meshflow.v1.GetHealthResponse;
import dev.meshflow.v1.GetInclusionProofResponse;
import dev.meshflow.v1.GetTreeHeadResponse;
import dev.meshflow.v1.ListApprovalsRequest;
import dev.meshflow.v1.ListApprovalsResponse;
import dev.meshflow.v1.ListEntriesRequest;
import dev.meshflow.v1.ListEntriesResponse;
import dev.meshflow.v1.ListNodesResponse;
import dev.meshflow.v1.ListRunsRequest;
import dev.meshflow.v1.ListRunsResponse;
import dev.meshflow.v1.ListWorkflowsRequest;
import dev.meshflow.v1.ListWorkflowsResponse;
import dev.meshflow.v1.MeshChange;
import dev.meshflow.v1.MeshNode;
import dev.meshflow.v1.RegisterNodeRequest;
import dev.meshflow.v1.ResolveNodeRequest;
import dev.meshflow.v1.ResolveNodeResponse;
import dev.meshflow.v1.RunRequest;
import dev.meshflow.v1.RunResponse;
import dev.meshflow.v1.VerifyRunResponse;
import dev.meshflow.v1.Workflow;
import dev.meshflow.v1.WorkflowApproval;
import dev.meshflow.v1.WorkflowValidation;
import io.grpc.Channel;
import io.grpc.Status;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.function.Predicate;

/**
 * Calls a meshflow server and waits for each answer. Calls fail with {@link MeshflowException}; UNAVAILABLE is retried up
 * to four times where that is safe, and requests that start a run carry a fresh {@code request_id} unless the caller names
 * one, so that no retry runs a task twice. Interrupting a waiting thread cancels its call. Safe for use by many threads.
 */
public final class MeshflowClient implements AutoCloseable {
    /** Where {@code meshflow serve} listens. */
    public static final String DEFAULT_ADDRESS = "127.0.0.1:8765";

    private final Connection connection;
    private final AsyncMeshflowClient async;

    MeshflowClient(Connection connection, Duration deadline) {
        this.connection = connection;
        this.async = new AsyncMeshflowClient(connection, deadline);
    }

    /**
     * Says how to reach a server and makes a client.
     *
     * @return a builder, at first for a server on this machine
     */
    public static ClientBuilder builder() {
        return new ClientBuilder();
    }

    /**
     * Returns the same client for callers that do not wait.
     *
     * @return the client, on the same connection
     */
    public AsyncMeshflowClient async() {
        return async;
    }

    /**
     * Returns this client with another limit for every call, those included that wait for a run. A deadline of
     * {@link io.grpc.Context} holds beside it; the earlier one counts.
     *
     * @param limit the time each call may take
     * @return a client on the same connection
     */
    public MeshflowClient withDeadline(Duration limit) {
        return new MeshflowClient(connection, ClientBuilder.positive("limit", limit));
    }

    /**
     * Returns the channel with the client's credentials and retries, for the generated stubs.
     *
     * @return the channel
     */
    public Channel channel() {
        return connection.channel();
    }

    /** Closes the connection, for every client that was made from this one; calls in flight fail. */
    @Override
    public void close() {
        connection.managed().shutdownNow();
    }

    /**
     * Executes a run and waits until it ends or pauses; the outcome is in {@code status}. Leaving early cancels the
     * run unless the request says otherwise.
     *
     * @param request what to run and under which policy
     * @return the run
     * @throws MeshflowException when the call fails
     */
    public RunResponse run(RunRequest request) {
        return await(async.run(request));
    }

    /**
     * Starts a run that goes on without the caller.
     *
     * @param request what to run and under which policy
     * @return the run as it stands
     * @throws MeshflowException when the call fails
     */
    public RunResponse createRun(RunRequest request) {
        return await(async.createRun(request));
    }

    /**
     * Returns a run as it stands.
     *
     * @param runId the run
     * @return the run
     * @throws MeshflowException when the call fails
     */
    public RunResponse getRun(String runId) {
        return await(async.getRun(runId));
    }

    /**
     * Returns a page of runs, newest first.
     *
     * @param request which runs
     * @return the page
     * @throws MeshflowException when the call fails
     */
    public ListRunsResponse listRuns(ListRunsRequest request) {
        return await(async.listRuns(request));
    }

    /**
     * Waits up to a minute until a run ends or pauses.
     *
     * @param runId the run
     * @return the run as it stands then
     * @throws MeshflowException when the call fails
     */
    public RunResponse waitRun(String runId) {
        return waitRun(runId, Duration.ofMinutes(1));
    }

    /**
     * Waits until a run ends, pauses or the time passes.
     *
     * @param runId the run
     * @param timeout longest wait, at most an hour
     * @return the run as it stands then
     * @throws MeshflowException when the call fails
     */
    public RunResponse waitRun(String runId, Duration timeout) {
        return await(async.waitRun(runId, timeout));
    }

    /**
     * Cancels a run and waits until it has ended; one that had ended before is returned unchanged.
     *
     * @param runId the run
     * @param reason why, kept in the ledger; may be empty
     * @return the run
     * @throws MeshflowException when the call fails
     */
    public RunResponse cancelRun(String runId, String reason) {
        return await(async.cancelRun(runId, reason));
    }

    /**
     * Says what a request would be held to and which rules it violates; nothing is executed.
     *
     * @param request what would run
     * @return the check
     * @throws MeshflowException when the call fails
     */
    public CheckRunResponse checkRun(RunRequest request) {
        return await(async.checkRun(request));
    }

    /**
     * Compares two runs node by node; deltas are B minus A.
     *
     * @param runA run A
     * @param runB run B
     * @return how they differ
     * @throws MeshflowException when the call fails
     */
    public DiffRunsResponse diffRuns(String runA, String runB) {
        return await(async.diffRuns(runA, runB));
    }

    /**
     * Starts a new run that goes on from a point of an earlier one. Never repeated by itself: nothing on the wire
     * would tell the second fork from the first.
     *
     * @param request the run and where to leave it
     * @return the new run
     * @throws MeshflowException when the call fails
     */
    public RunResponse forkRun(ForkRunRequest request) {
        return await(async.forkRun(request));
    }

    /**
     * Returns a page of a run's ledger entries, in the order of the chain.
     *
     * @param request which entries
     * @return the page
     * @throws MeshflowException when the call fails
     */
    public ListEntriesResponse listEntries(ListEntriesRequest request) {
        return await(async.listEntries(request));
    }

    /**
     * Has the server verify a run's chain; {@code valid} and {@code faults} tell.
     *
     * @param runId the run
     * @return the verification
     * @throws MeshflowException when the call fails
     */
    public VerifyRunResponse verifyRun(String runId) {
        return await(async.verifyRun(runId));
    }

    /**
     * Exports a run as a file.
     *
     * @param runId the run
     * @param format {@code json}, {@code csv} or {@code evidence}; the latter is what {@code meshflow audit verify}
     * checks offline
     * @return the file
     * @throws MeshflowException when the call fails
     */
    public byte[] exportRun(String runId, String format) {
        return await(async.exportRun(runId, format));
    }

    /**
     * Removes what people wrote from a run that has ended, for good; the chain stays valid.
     *
     * @param runId the run
     * @param basis the legal ground, recorded as given
     * @return what was erased
     * @throws MeshflowException when the call fails
     */
    public EraseRunResponse eraseRun(String runId, String basis) {
        return await(async.eraseRun(runId, basis));
    }

    /**
     * Returns the newest signed head of the log over all entries.
     *
     * @return the head
     * @throws MeshflowException when the call fails
     */
    public GetTreeHeadResponse treeHead() {
        return await(async.treeHead());
    }

    /**
     * Returns the proof that an entry is in the log.
     *
     * @param runId the run
     * @param sequence place of the entry in the run's chain, from 1
     * @return the proof under a signed head
     * @throws MeshflowException when the call fails
     */
    public GetInclusionProofResponse inclusionProof(String runId, long sequence) {
        return await(async.inclusionProof(runId, sequence));
    }

    /**
     * Returns the proof that the log only grew.
     *
     * @param first the earlier size: that of a head you kept
     * @param second the later size; 0 means that of the newest head
     * @return the proof
     * @throws MeshflowException when the call fails
     */
    public GetConsistencyProofResponse consistencyProof(long first, long second) {
        return await(async.consistencyProof(first, second));
    }

    /**
     * Returns a page of approvals: pending ones, or all of one run.
     *
     * @param request which approvals
     * @return the page
     * @throws MeshflowException when the call fails
     */
    public ListApprovalsResponse listApprovals(ListApprovalsRequest request) {
        return await(async.listApprovals(request));
    }

    /**
     * Returns an approval as it stands, with what the step would be given.
     *
     * @param approvalId the approval
     * @return the approval
     * @throws MeshflowException when the call fails
     */
    public Approval getApproval(String approvalId) {
        return await(async.getApproval(approvalId));
    }

    /**
     * Decides, once; the same decision again changes nothing.
     *
     * @param request the decision
     * @return the approval as decided
     * @throws MeshflowException when the call fails
     */
    public Approval decideApproval(DecideApprovalRequest request) {
        return await(async.decideApproval(request));
    }

    /**
     * Registers a version of a workflow, once: the same again changes nothing.
     *
     * @param yaml the definition; its name and version are those it is registered under
     * @return the workflow
     * @throws MeshflowException when the call fails
     */
    public Workflow putWorkflow(String yaml) {
        return await(async.putWorkflow(yaml));
    }

    /**
     * Returns a workflow.
     *
     * @param name NAME, which is the version registered last, or NAME@VERSION
     * @return the workflow
     * @throws MeshflowException when the call fails
     */
    public Workflow getWorkflow(String name) {
        return await(async.getWorkflow(name));
    }

    /**
     * Approves what a workflow is now, which another person registered; the same again changes nothing.
     *
     * @param request which workflow, and why
     * @return the approval
     * @throws MeshflowException when the call fails
     */
    public WorkflowApproval approveWorkflow(ApproveWorkflowRequest request) {
        return await(async.approveWorkflow(request));
    }

    /**
     * Returns a page of workflows: the newest version of each, or all versions of one.
     *
     * @param request which workflows
     * @return the page
     * @throws MeshflowException when the call fails
     */
    public ListWorkflowsResponse listWorkflows(ListWorkflowsRequest request) {
        return await(async.listWorkflows(request));
    }

    /**
     * Checks a definition; nothing is kept.
     *
     * @param yaml the definition
     * @return what is wrong with it, if anything
     * @throws MeshflowException when the call fails
     */
    public WorkflowValidation validateWorkflow(String yaml) {
        return await(async.validateWorkflow(yaml));
    }

    /**
     * Registers a node that is no meshflow server, for the caller's tenant; it lives by {@link #heartbeat}.
     *
     * @param request the node
     * @return the node as kept
     * @throws MeshflowException when the call fails
     */
    public MeshNode registerNode(RegisterNodeRequest request) {
        return await(async.registerNode(request));
    }

    /**
     * Says that a node lives.
     *
     * @param nodeId the node's UUID
     * @return the time within which the next one is due
     * @throws MeshflowException when the call fails
     */
    public Duration heartbeat(String nodeId) {
        return await(async.heartbeat(nodeId));
    }

    /**
     * Returns all nodes and how they do, by name.
     *
     * @return the nodes
     * @throws MeshflowException when the call fails
     */
    public ListNodesResponse listNodes() {
        return await(async.listNodes());
    }

    /**
     * Says whom a step would go to, in the order in which they are asked.
     *
     * @param request a slug or a concern
     * @return the nodes
     * @throws MeshflowException when the call fails
     */
    public ResolveNodeResponse resolveNode(ResolveNodeRequest request) {
        return await(async.resolveNode(request));
    }

    /**
     * Tells a reader what happened in the mesh and then what happens, until it returns false.
     *
     * @param afterSequence only changes with a higher number
     * @param reader returns whether it wants more
     * @throws MeshflowException when the connection broke
     */
    public void watchMesh(int afterSequence, Predicate<MeshChange> reader) {
        await(async.watchMesh(afterSequence, reader));
    }

    /**
     * Returns the server's health, version and uptime.
     *
     * @return the health
     * @throws MeshflowException when the call fails
     */
    public GetHealthResponse health() {
        return await(async.health());
    }

    /**
     * Executes a run and shows its events to its end or to where it waits for a human, none lost and none twice over broken
     * connections; closing early is a disconnect, which by default cancels the run.
     *
     * @param request what to run and under which policy
     * @return the events
     */
    public EventStream streamRun(RunRequest request) {
        return new EventStream(async.streamRun(request));
    }

    /**
     * Shows all events of a run, in the basic view; see {@link #watch(String, WatchOptions)}.
     *
     * @param runId the run
     * @return the events
     */
    public EventStream watch(String runId) {
        return watch(runId, WatchOptions.DEFAULT);
    }

    /**
     * Shows a run's events until it has ended, across broken connections: none lost, none twice. It stays open while the
     * run is paused; closing it leaves the run alone.
     *
     * @param runId the run
     * @param options which events
     * @return the events
     */
    public EventStream watch(String runId, WatchOptions options) {
        return new EventStream(async.watch(runId, options));
    }

    private static <A> A await(CompletableFuture<A> answer) {
        try {
            return answer.get();
        } catch (ExecutionException failed) {
            throw Connection.failureOf(failed.getCause()).here();
        } catch (InterruptedException interrupted) {
            answer.cancel(true);
            Thread.currentThread().interrupt();
            throw MeshflowException.of(Status.CANCELLED.withDescription("interrupted").withCause(interrupted), null);
        }
    }
}
