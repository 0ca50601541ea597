package dev.meshflow;

import dev.meshflow.v1.Approval;
import dev.meshflow.v1.ApproveWorkflowRequest;
import dev.meshflow.v1.ApprovalServiceGrpc;
import dev.meshflow.v1.CancelRunRequest;
import dev.meshflow.v1.CheckRunResponse;
import dev.meshflow.v1.DecideApprovalRequest;
import dev.meshflow.v1.DiffRunsRequest;
import dev.meshflow.v1.DiffRunsResponse;
import dev.meshflow.v1.EraseRunRequest;
import dev.meshflow.v1.EraseRunResponse;
import dev.meshflow.v1.ExportRunRequest;
import dev.meshflow.v1.ForkRunRequest;
import dev.meshflow.v1.GetApprovalRequest;
import dev.meshflow.v1.GetConsistencyProofRequest;
import dev.meshflow.v1.GetConsistencyProofResponse;
import dev.meshflow.v1.GetHealthRequest;
import dev.meshflow.v1.GetHealthResponse;
import dev.meshflow.v1.GetInclusionProofRequest;
import dev.meshflow.v1.GetInclusionProofResponse;
import dev.meshflow.v1.GetRunRequest;
import dev.meshflow.v1.GetTreeHeadRequest;
import dev.meshflow.v1.GetTreeHeadResponse;
import dev.meshflow.v1.GetWorkflowRequest;
import dev.meshflow.v1.HeartbeatRequest;
import dev.meshflow.v1.HeartbeatResponse;
import dev.meshflow.v1.LedgerServiceGrpc;
import dev.meshflow.v1.ListApprovalsRequest;
import dev.meshflow.v1.ListApprovalsResponse;
import dev.meshflow.v1.ListEntriesRequest;
import dev.meshflow.v1.ListEntriesResponse;
import dev.meshflow.v1.ListNodesRequest;
import dev.meshflow.v1.ListNodesResponse;
import dev.meshflow.v1.ListRunsRequest;
import dev.meshflow.v1.ListRunsResponse;
import dev.meshflow.v1.ListWorkflowsRequest;
import dev.meshflow.v1.ListWorkflowsResponse;
import dev.meshflow.v1.MeshChange;
import dev.meshflow.v1.MeshNode;
import dev.meshflow.v1.MeshServiceGrpc;
import dev.meshflow.v1.PutWorkflowRequest;
import dev.meshflow.v1.RegisterNodeRequest;
import dev.meshflow.v1.ResolveNodeRequest;
import dev.meshflow.v1.ResolveNodeResponse;
import dev.meshflow.v1.RunEvent;
import dev.meshflow.v1.RunRequest;
import dev.meshflow.v1.RunResponse;
import dev.meshflow.v1.RunServiceGrpc;
import dev.meshflow.v1.SystemServiceGrpc;
import dev.meshflow.v1.ValidateWorkflowRequest;
import dev.meshflow.v1.VerifyRunRequest;
import dev.meshflow.v1.VerifyRunResponse;
import dev.meshflow.v1.WaitRunRequest;
import dev.meshflow.v1.WatchMeshRequest;
import dev.meshflow.v1.Workflow;
import dev.meshflow.v1.WorkflowApproval;
import dev.meshflow.v1.WorkflowServiceGrpc;
import dev.meshflow.v1.WorkflowValidation;
import io.grpc.CallOptions;
import io.grpc.MethodDescriptor;
import java.time.Duration;
import java.util.Objects;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Flow;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Predicate;

/**
 * Calls a meshflow server without waiting; made by {@link MeshflowClient#async()}. A future that fails does so with a
 * {@link MeshflowException}; cancelling it cancels the call. Safe for use by many threads.
 */
public final class AsyncMeshflowClient {
    private final Connection connection;
    private final Duration deadline;

    AsyncMeshflowClient(Connection connection, Duration deadline) {
        this.connection = connection;
        this.deadline = deadline;
    }

    /**
     * Executes a run and waits until it ends or pauses; the outcome is in {@code status}. Leaving early cancels the
     * run unless the request says otherwise.
     *
     * @param request what to run and under which policy
     * @return the run
     */
    public CompletableFuture<RunResponse> run(RunRequest request) {
        return unbounded(RunServiceGrpc.getRunMethod(), named(request));
    }

    /**
     * Starts a run that goes on without the caller.
     *
     * @param request what to run and under which policy
     * @return the run as it stands
     */
    public CompletableFuture<RunResponse> createRun(RunRequest request) {
        return bounded(RunServiceGrpc.getCreateRunMethod(), named(request));
    }

    /**
     * Returns a run as it stands.
     *
     * @param runId the run
     * @return the run
     */
    public CompletableFuture<RunResponse> getRun(String runId) {
        return bounded(RunServiceGrpc.getGetRunMethod(), GetRunRequest.newBuilder().setRunId(runId).build());
    }

    /**
     * Returns a page of runs, newest first.
     *
     * @param request which runs
     * @return the page
     */
    public CompletableFuture<ListRunsResponse> listRuns(ListRunsRequest request) {
        return bounded(RunServiceGrpc.getListRunsMethod(), request);
    }

    /**
     * Waits up to a minute until a run ends or pauses.
     *
     * @param runId the run
     * @return the run as it stands then
     */
    public CompletableFuture<RunResponse> waitRun(String runId) {
        return waitRun(runId, Duration.ofMinutes(1));
    }

    /**
     * Waits until a run ends, pauses or the time passes.
     *
     * @param runId the run
     * @param timeout longest wait, at most an hour
     * @return the run as it stands then
     */
    public CompletableFuture<RunResponse> waitRun(String runId, Duration timeout) {
        WaitRunRequest request = WaitRunRequest.newBuilder()
                .setRunId(runId)
                .setTimeoutS(timeout.toNanos() / 1e9)
                .build();
        Duration limit = deadline == null ? connection.deadline().plus(timeout) : deadline;
        return connection.call(RunServiceGrpc.getWaitRunMethod(), Connection.options(limit), request);
    }

    /**
     * Cancels a run and waits until it has ended; one that had ended before is returned unchanged.
     *
     * @param runId the run
     * @param reason why, kept in the ledger; may be empty
     * @return the run
     */
    public CompletableFuture<RunResponse> cancelRun(String runId, String reason) {
        return bounded(
                RunServiceGrpc.getCancelRunMethod(),
                CancelRunRequest.newBuilder().setRunId(runId).setReason(reason).build());
    }

    /**
     * Says what a request would be held to and which rules it violates; nothing is executed.
     *
     * @param request what would run
     * @return the check
     */
    public CompletableFuture<CheckRunResponse> checkRun(RunRequest request) {
        return bounded(RunServiceGrpc.getCheckRunMethod(), request);
    }

    /**
     * Compares two runs node by node; deltas are B minus A.
     *
     * @param runA run A
     * @param runB run B
     * @return how they differ
     */
    public CompletableFuture<DiffRunsResponse> diffRuns(String runA, String runB) {
        return bounded(
                RunServiceGrpc.getDiffRunsMethod(),
                DiffRunsRequest.newBuilder().setRunA(runA).setRunB(runB).build());
    }

    /**
     * Starts a new run that goes on from a point of an earlier one. Never repeated by itself: nothing on the wire
     * would tell the second fork from the first.
     *
     * @param request the run and where to leave it
     * @return the new run
     */
    public CompletableFuture<RunResponse> forkRun(ForkRunRequest request) {
        return bounded(RunServiceGrpc.getForkRunMethod(), request);
    }

    /**
     * Returns a page of a run's ledger entries, in the order of the chain.
     *
     * @param request which entries
     * @return the page
     */
    public CompletableFuture<ListEntriesResponse> listEntries(ListEntriesRequest request) {
        return bounded(LedgerServiceGrpc.getListEntriesMethod(), request);
    }

    /**
     * Has the server verify a run's chain; {@code valid} and {@code faults} tell.
     *
     * @param runId the run
     * @return the verification
     */
    public CompletableFuture<VerifyRunResponse> verifyRun(String runId) {
        return bounded(LedgerServiceGrpc.getVerifyRunMethod(), VerifyRunRequest.newBuilder().setRunId(runId).build());
    }

    /**
     * Exports a run as a file.
     *
     * @param runId the run
     * @param format {@code json}, {@code csv} or {@code evidence}; the latter is what {@code meshflow audit verify}
     * checks offline
     * @return the file
     */
    public CompletableFuture<byte[]> exportRun(String runId, String format) {
        ExportRunRequest request =
                ExportRunRequest.newBuilder().setRunId(runId).setFormat(format).build();
        return connection.gather(LedgerServiceGrpc.getExportRunMethod(), limited(), request, new Connection.Pieces());
    }

    /**
     * Removes what people wrote from a run that has ended, for good; the chain stays valid.
     *
     * @param runId the run
     * @param basis the legal ground, recorded as given
     * @return what was erased
     */
    public CompletableFuture<EraseRunResponse> eraseRun(String runId, String basis) {
        return bounded(
                LedgerServiceGrpc.getEraseRunMethod(),
                EraseRunRequest.newBuilder().setRunId(runId).setBasis(basis).build());
    }

    /**
     * Returns the newest signed head of the log over all entries.
     *
     * @return the head
     */
    public CompletableFuture<GetTreeHeadResponse> treeHead() {
        return bounded(LedgerServiceGrpc.getGetTreeHeadMethod(), GetTreeHeadRequest.getDefaultInstance());
    }

    /**
     * Returns the proof that an entry is in the log.
     *
     * @param runId the run
     * @param sequence place of the entry in the run's chain, from 1
     * @return the proof under a signed head
     */
    public CompletableFuture<GetInclusionProofResponse> inclusionProof(String runId, long sequence) {
        GetInclusionProofRequest request = GetInclusionProofRequest.newBuilder()
                .setRunId(runId)
                .setSequence(sequence)
                .build();
        return bounded(LedgerServiceGrpc.getGetInclusionProofMethod(), request);
    }

    /**
     * Returns the proof that the log only grew.
     *
     * @param first the earlier size: that of a head you kept
     * @param second the later size; 0 means that of the newest head
     * @return the proof
     */
    public CompletableFuture<GetConsistencyProofResponse> consistencyProof(long first, long second) {
        GetConsistencyProofRequest request = GetConsistencyProofRequest.newBuilder()
                .setFirst(first)
                .setSecond(second)
                .build();
        return bounded(LedgerServiceGrpc.getGetConsistencyProofMethod(), request);
    }

    /**
     * Returns a page of approvals: pending ones, or all of one run.
     *
     * @param request which approvals
     * @return the page
     */
    public CompletableFuture<ListApprovalsResponse> listApprovals(ListApprovalsRequest request) {
        return bounded(ApprovalServiceGrpc.getListApprovalsMethod(), request);
    }

    /**
     * Returns an approval as it stands, with what the step would be given.
     *
     * @param approvalId the approval
     * @return the approval
     */
    public CompletableFuture<Approval> getApproval(String approvalId) {
        return bounded(
                ApprovalServiceGrpc.getGetApprovalMethod(),
                GetApprovalRequest.newBuilder().setApprovalId(approvalId).build());
    }

    /**
     * Decides, once; the same decision again changes nothing.
     *
     * @param request the decision
     * @return the approval as decided
     */
    public CompletableFuture<Approval> decideApproval(DecideApprovalRequest request) {
        return bounded(ApprovalServiceGrpc.getDecideApprovalMethod(), request);
    }

    /**
     * Registers a version of a workflow, once: the same again changes nothing.
     *
     * @param yaml the definition; its name and version are those it is registered under
     * @return the workflow
     */
    public CompletableFuture<Workflow> putWorkflow(String yaml) {
        return bounded(WorkflowServiceGrpc.getPutWorkflowMethod(), PutWorkflowRequest.newBuilder().setYaml(yaml).build());
    }

    /**
     * Returns a workflow.
     *
     * @param name NAME, which is the version registered last, or NAME@VERSION
     * @return the workflow
     */
    public CompletableFuture<Workflow> getWorkflow(String name) {
        return bounded(WorkflowServiceGrpc.getGetWorkflowMethod(), GetWorkflowRequest.newBuilder().setName(name).build());
    }

    /**
     * Approves what a workflow is now, which another person registered; the same again changes nothing.
     *
     * @param request which workflow, and why
     * @return the approval
     */
    public CompletableFuture<WorkflowApproval> approveWorkflow(ApproveWorkflowRequest request) {
        return bounded(WorkflowServiceGrpc.getApproveWorkflowMethod(), request);
    }

    /**
     * Returns a page of workflows: the newest version of each, or all versions of one.
     *
     * @param request which workflows
     * @return the page
     */
    public CompletableFuture<ListWorkflowsResponse> listWorkflows(ListWorkflowsRequest request) {
        return bounded(WorkflowServiceGrpc.getListWorkflowsMethod(), request);
    }

    /**
     * Checks a definition; nothing is kept.
     *
     * @param yaml the definition
     * @return what is wrong with it, if anything
     */
    public CompletableFuture<WorkflowValidation> validateWorkflow(String yaml) {
        return bounded(
                WorkflowServiceGrpc.getValidateWorkflowMethod(),
                ValidateWorkflowRequest.newBuilder().setYaml(yaml).build());
    }

    /**
     * Registers a node that is no meshflow server, for the caller's tenant; it lives by {@link #heartbeat}.
     *
     * @param request the node
     * @return the node as kept
     */
    public CompletableFuture<MeshNode> registerNode(RegisterNodeRequest request) {
        return bounded(MeshServiceGrpc.getRegisterNodeMethod(), request);
    }

    /**
     * Says that a node lives.
     *
     * @param nodeId the node's UUID
     * @return the time within which the next one is due
     */
    public CompletableFuture<Duration> heartbeat(String nodeId) {
        HeartbeatRequest request = HeartbeatRequest.newBuilder().setNodeId(nodeId).build();
        CompletableFuture<HeartbeatResponse> noted = bounded(MeshServiceGrpc.getHeartbeatMethod(), request);
        return noted.thenApply(answer -> Duration.ofMillis(Math.round(answer.getTtlS() * 1000)));
    }

    /**
     * Returns all nodes and how they do, by name.
     *
     * @return the nodes
     */
    public CompletableFuture<ListNodesResponse> listNodes() {
        return bounded(MeshServiceGrpc.getListNodesMethod(), ListNodesRequest.getDefaultInstance());
    }

    /**
     * Says whom a step would go to, in the order in which they are asked.
     *
     * @param request a slug or a concern
     * @return the nodes
     */
    public CompletableFuture<ResolveNodeResponse> resolveNode(ResolveNodeRequest request) {
        return bounded(MeshServiceGrpc.getResolveNodeMethod(), request);
    }

    /**
     * Tells a reader what happened in the mesh and then what happens, until it returns false. The reader is called by one
     * thread at a time, and is told no more before it returns.
     *
     * @param afterSequence only changes with a higher number
     * @param reader returns whether it wants more
     * @return is complete when the reader wants no more; cancelling it ends the watch
     */
    public CompletableFuture<Void> watchMesh(int afterSequence, Predicate<MeshChange> reader) {
        WatchMeshRequest request = WatchMeshRequest.newBuilder().setAfterSequence(afterSequence).build();
        return connection.read(MeshServiceGrpc.getWatchMeshMethod(), Connection.options(deadline), request, reader);
    }

    /**
     * Returns the server's health, version and uptime.
     *
     * @return the health
     */
    public CompletableFuture<GetHealthResponse> health() {
        return bounded(SystemServiceGrpc.getGetHealthMethod(), GetHealthRequest.getDefaultInstance());
    }

    /**
     * Executes a run and publishes its events, once, to one subscriber: the run begins when it subscribes, and its
     * cancelling is a disconnect, which by default cancels the run. A broken stream is taken up again after the last event:
     * none is lost, none comes twice. They end where the run does, or where it waits for a human.
     *
     * @param request what to run and under which policy
     * @return the publisher; failures arrive as {@link MeshflowException}
     */
    public Flow.Publisher<RunEvent> streamRun(RunRequest request) {
        EventSource<?> source = new EventSource.Started(named(request));
        AtomicBoolean begun = new AtomicBoolean();
        return subscriber -> {
            Objects.requireNonNull(subscriber, "subscriber");
            if (begun.getAndSet(true)) {
                new EventSubscription(connection, source, Connection.options(deadline), subscriber).refuse();
            } else {
                new EventSubscription(connection, source, Connection.options(deadline), subscriber).start();
            }
        };
    }

    /**
     * Publishes all events of a run, in the basic view; see {@link #watch(String, WatchOptions)}.
     *
     * @param runId the run
     * @return the publisher
     */
    public Flow.Publisher<RunEvent> watch(String runId) {
        return watch(runId, WatchOptions.DEFAULT);
    }

    /**
     * Publishes a run's events until it has ended, across broken connections: none lost, none twice. It stays open while
     * the run is paused. Every subscriber gets the events from the start of its own choice and at its own pace.
     *
     * @param runId the run
     * @param options which events
     * @return the publisher; failures arrive as {@link MeshflowException}
     */
    public Flow.Publisher<RunEvent> watch(String runId, WatchOptions options) {
        EventSource<?> source = new EventSource.Watched(runId, options);
        return subscriber -> {
            Objects.requireNonNull(subscriber, "subscriber");
            new EventSubscription(connection, source, Connection.options(deadline), subscriber).start();
        };
    }

    /** Every request that starts a run has an id, so that a retry never runs a task twice. */
    private static RunRequest named(RunRequest request) {
        boolean named = !request.getRequestId().isEmpty();
        return named ? request : request.toBuilder().setRequestId(UUID.randomUUID().toString()).build();
    }

    private CallOptions limited() {
        return Connection.options(deadline == null ? connection.deadline() : deadline);
    }

    private <Q, A> CompletableFuture<A> bounded(MethodDescriptor<Q, A> method, Q request) {
        return connection.call(method, limited(), request);
    }

    private <Q, A> CompletableFuture<A> unbounded(MethodDescriptor<Q, A> method, Q request) {
        return connection.call(method, Connection.options(deadline), request);
    }
}
