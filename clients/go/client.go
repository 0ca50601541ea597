package meshflow

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"iter"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	meshflowv1 "meshflow.dev/go/meshflow/gen/meshflow/v1"
)

// Client calls a meshflow server; safe for concurrent use. Requests that start a run get a fresh RequestId unless the
// caller names one, so that a retry after a broken connection never runs a task twice.
type Client struct {
	settings   *settings
	connection *grpc.ClientConn
	runs       meshflowv1.RunServiceClient
	ledger     meshflowv1.LedgerServiceClient
	approvals  meshflowv1.ApprovalServiceClient
	workflows  meshflowv1.WorkflowServiceClient
	system     meshflowv1.SystemServiceClient
	mesh       meshflowv1.MeshServiceClient
}

// Dial makes a client for host:port, http://host:port or https://host. It connects on the first call, and again after
// every break; the error tells of a bad address or an unreadable PEM file.
func Dial(address string, options ...Option) (*Client, error) {
	settings, target, err := newSettings(address, options)
	if err != nil {
		return nil, err
	}
	connection, err := grpc.NewClient(target, settings.dialOptions()...)
	if err != nil {
		return nil, err
	}
	return &Client{
		settings:   settings,
		connection: connection,
		runs:       meshflowv1.NewRunServiceClient(connection),
		ledger:     meshflowv1.NewLedgerServiceClient(connection),
		approvals:  meshflowv1.NewApprovalServiceClient(connection),
		workflows:  meshflowv1.NewWorkflowServiceClient(connection),
		system:     meshflowv1.NewSystemServiceClient(connection),
		mesh:       meshflowv1.NewMeshServiceClient(connection),
	}, nil
}

// Close closes the connection; calls in flight end as cancelled.
func (c *Client) Close() error { return c.connection.Close() }

// Run executes a run and waits until it ends or pauses; the outcome is in Status. The context bounds the wait, and by
// default its end cancels the run.
func (c *Client) Run(ctx context.Context, request *RunRequest) (*Run, error) {
	run, err := c.runs.Run(ctx, withRequestID(request))
	return run, callError(err)
}

// StreamRun executes a run and yields its events to its end or to where it waits for a human, across broken connections:
// none lost, none twice. Leaving the loop early is a disconnect, which by default cancels the run.
func (c *Client) StreamRun(ctx context.Context, request *RunRequest) iter.Seq2[*RunEvent, error] {
	named := withRequestID(request)
	return func(yield func(*RunEvent, error) bool) {
		// Under its request id a second call attaches to the run and shows it from its beginning.
		open := func(ctx context.Context, _ int32) (grpc.ServerStreamingClient[RunEvent], error) {
			return c.runs.StreamRun(ctx, named)
		}
		events := &eventStream{settings: c.settings, open: open, over: streamOver, yield: yield}
		events.show(ctx)
	}
}

// CreateRun starts a run that goes on without the caller, and returns it as it stands.
func (c *Client) CreateRun(ctx context.Context, request *RunRequest) (*Run, error) {
	return bounded(ctx, c, 0, c.runs.CreateRun, withRequestID(request))
}

// GetRun returns a run as it stands.
func (c *Client) GetRun(ctx context.Context, runID string) (*Run, error) {
	return bounded(ctx, c, 0, c.runs.GetRun, &meshflowv1.GetRunRequest{RunId: runID})
}

// ListRuns returns a page of runs, newest first; nil selects all.
func (c *Client) ListRuns(ctx context.Context, request *ListRunsRequest) (*RunPage, error) {
	if request == nil {
		request = &ListRunsRequest{}
	}
	return bounded(ctx, c, 0, c.runs.ListRuns, request)
}

// WaitRun waits until a run ends, pauses or the time passes, and returns it as it stands then; 0 means 60 seconds.
func (c *Client) WaitRun(ctx context.Context, runID string, timeout time.Duration) (*Run, error) {
	if timeout == 0 {
		timeout = time.Minute
	}
	request := &meshflowv1.WaitRunRequest{RunId: runID, TimeoutS: timeout.Seconds()}
	return bounded(ctx, c, timeout, c.runs.WaitRun, request)
}

// CancelRun cancels a run and returns when it has ended; one that had ended before is returned unchanged.
func (c *Client) CancelRun(ctx context.Context, runID, reason string) (*Run, error) {
	return bounded(ctx, c, 0, c.runs.CancelRun, &meshflowv1.CancelRunRequest{RunId: runID, Reason: reason})
}

// CheckRun says what a request would be held to and which rules it violates; nothing is executed.
func (c *Client) CheckRun(ctx context.Context, request *RunRequest) (*RunCheck, error) {
	return bounded(ctx, c, 0, c.runs.CheckRun, request)
}

// ForkRun starts a run that goes on from before a place or a node of an earlier one, and returns when its start is durable.
// It is never retried: a second try could start a second run.
func (c *Client) ForkRun(ctx context.Context, request *ForkRunRequest) (*Run, error) {
	return bounded(ctx, c, 0, c.runs.ForkRun, request)
}

// DiffRuns compares two runs node by node; deltas are B minus A.
func (c *Client) DiffRuns(ctx context.Context, runA, runB string) (*RunDiff, error) {
	return bounded(ctx, c, 0, c.runs.DiffRuns, &meshflowv1.DiffRunsRequest{RunA: runA, RunB: runB})
}

// ListApprovals returns a page of pending approvals; with a run id all approvals of that run. nil selects all pending ones.
func (c *Client) ListApprovals(ctx context.Context, request *ListApprovalsRequest) (*ApprovalPage, error) {
	if request == nil {
		request = &ListApprovalsRequest{}
	}
	return bounded(ctx, c, 0, c.approvals.ListApprovals, request)
}

// GetApproval returns an approval as it stands, with what the step would be given.
func (c *Client) GetApproval(ctx context.Context, approvalID string) (*Approval, error) {
	return bounded(ctx, c, 0, c.approvals.GetApproval, &meshflowv1.GetApprovalRequest{ApprovalId: approvalID})
}

// DecideApproval decides "approve" or "reject" and returns when the decision is durable. The same decision again changes nothing.
func (c *Client) DecideApproval(ctx context.Context, decision *Decision) (*Approval, error) {
	return bounded(ctx, c, 0, c.approvals.DecideApproval, decision)
}

// ListEntries returns a page of a run's ledger entries in the order of the chain.
func (c *Client) ListEntries(ctx context.Context, request *ListEntriesRequest) (*EntryPage, error) {
	return bounded(ctx, c, 0, c.ledger.ListEntries, request)
}

// VerifyRun has the server verify a run's chain; Valid and Faults tell.
func (c *Client) VerifyRun(ctx context.Context, runID string) (*Verification, error) {
	return bounded(ctx, c, 0, c.ledger.VerifyRun, &meshflowv1.VerifyRunRequest{RunId: runID})
}

// PutWorkflow registers a version of a workflow, once: the same YAML again changes nothing.
func (c *Client) PutWorkflow(ctx context.Context, yaml string) (*Workflow, error) {
	return bounded(ctx, c, 0, c.workflows.PutWorkflow, &meshflowv1.PutWorkflowRequest{Yaml: yaml})
}

// GetWorkflow returns the version registered last of NAME, or NAME@VERSION.
func (c *Client) GetWorkflow(ctx context.Context, name string) (*Workflow, error) {
	return bounded(ctx, c, 0, c.workflows.GetWorkflow, &meshflowv1.GetWorkflowRequest{Name: name})
}

// ApproveWorkflow approves what NAME or NAME@VERSION is now, which another person registered; the same again changes nothing.
func (c *Client) ApproveWorkflow(ctx context.Context, request *ApproveWorkflowRequest) (*WorkflowApproval, error) {
	return bounded(ctx, c, 0, c.workflows.ApproveWorkflow, request)
}

// ListWorkflows returns a page of workflows, the newest version of each; with a name all versions of that one. nil selects all.
func (c *Client) ListWorkflows(ctx context.Context, request *ListWorkflowsRequest) (*WorkflowPage, error) {
	if request == nil {
		request = &ListWorkflowsRequest{}
	}
	return bounded(ctx, c, 0, c.workflows.ListWorkflows, request)
}

// ValidateWorkflow returns what is wrong with a definition, if anything; nothing is kept.
func (c *Client) ValidateWorkflow(ctx context.Context, yaml string) (*WorkflowValidation, error) {
	return bounded(ctx, c, 0, c.workflows.ValidateWorkflow, &meshflowv1.ValidateWorkflowRequest{Yaml: yaml})
}

// Health returns the server's health, version and uptime.
func (c *Client) Health(ctx context.Context) (*ServerHealth, error) {
	return bounded(ctx, c, 0, c.system.GetHealth, &meshflowv1.GetHealthRequest{})
}

// bounded makes a call under the client's timeout when the caller's context has no deadline.
func bounded[Request, Response any](
	ctx context.Context,
	c *Client,
	extra time.Duration,
	method func(context.Context, Request, ...grpc.CallOption) (Response, error),
	request Request,
) (Response, error) {
	if _, has := ctx.Deadline(); !has && c.settings.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.settings.timeout+extra)
		defer cancel()
	}
	response, err := method(ctx, request)
	return response, callError(err)
}

// withRequestID returns the request, or a copy with a fresh id; the caller's message stays as it was.
func withRequestID(request *RunRequest) *RunRequest {
	if request.GetRequestId() != "" {
		return request
	}
	named := &RunRequest{}
	if request != nil {
		named = proto.CloneOf(request)
	}
	named.RequestId = new(rand.Text())
	return named
}

// errStopped says that the reader wants no more events.
var errStopped = errors.New("stopped by the reader")

// forward hands on each message until the stream ends (nil), fails, or the reader stops (errStopped).
func forward[Message any](stream grpc.ServerStreamingClient[Message], accept func(*Message) bool) error {
	for {
		message, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if !accept(message) {
			return errStopped
		}
	}
}
