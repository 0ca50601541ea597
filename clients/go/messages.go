package meshflow

import (
	meshflowv1 "meshflow.dev/go/meshflow/gen/meshflow/v1"
)

// Messages of the wire contract, under this package's name. Optional fields are pointers: new("text") makes one.
type (
	// RunRequest says what to run and under which policy.
	RunRequest = meshflowv1.RunRequest
	// Run is a run as it stands.
	Run = meshflowv1.RunResponse
	// RunEvent is something that happened in a run.
	RunEvent = meshflowv1.RunEvent
	// Policy is the governance asked for; absent fields come from the workflow, then from the server.
	Policy = meshflowv1.Policy
	// CircuitBreaker bounds retries.
	CircuitBreaker = meshflowv1.CircuitBreaker
	// HumanInLoop says when a human must approve a step.
	HumanInLoop = meshflowv1.HumanInLoop
	// ToolList is a list of tools; an empty one differs from none.
	ToolList = meshflowv1.ToolList
	// ListRunsRequest selects runs.
	ListRunsRequest = meshflowv1.ListRunsRequest
	// RunPage is one page of runs.
	RunPage = meshflowv1.ListRunsResponse
	// ForkRunRequest names a run and where to leave it.
	ForkRunRequest = meshflowv1.ForkRunRequest
	// RunDiff is how two runs differ.
	RunDiff = meshflowv1.DiffRunsResponse
	// Approval is a step that waits, or waited, for a human.
	Approval = meshflowv1.Approval
	// ListApprovalsRequest selects approvals.
	ListApprovalsRequest = meshflowv1.ListApprovalsRequest
	// ApprovalPage is one page of approvals.
	ApprovalPage = meshflowv1.ListApprovalsResponse
	// Decision is a reviewer's decision on an approval.
	Decision = meshflowv1.DecideApprovalRequest
	// RunCheck says what a run would be held to.
	RunCheck = meshflowv1.CheckRunResponse
	// LedgerEntry is one entry of the append-only ledger.
	LedgerEntry = meshflowv1.LedgerEntry
	// ListEntriesRequest selects entries of a run.
	ListEntriesRequest = meshflowv1.ListEntriesRequest
	// EntryPage is one page of entries.
	EntryPage = meshflowv1.ListEntriesResponse
	// TreeHead is a signed head of the log over all entries.
	TreeHead = meshflowv1.TreeHead
	// InclusionProof proves that an entry is in the log.
	InclusionProof = meshflowv1.InclusionProof
	// ConsistencyProof proves that the log only grew from one size to another.
	ConsistencyProof = meshflowv1.ConsistencyProof
	// Erasure is what an erasure removed.
	Erasure = meshflowv1.EraseRunResponse
	// Verification is the result of verifying a run's chain.
	Verification = meshflowv1.VerifyRunResponse
	// Workflow is a registered workflow.
	Workflow = meshflowv1.Workflow
	// ApproveWorkflowRequest is a second person's word for a workflow.
	ApproveWorkflowRequest = meshflowv1.ApproveWorkflowRequest
	// WorkflowApproval says who approved a workflow under a policy.
	WorkflowApproval = meshflowv1.WorkflowApproval
	// ListWorkflowsRequest selects workflows.
	ListWorkflowsRequest = meshflowv1.ListWorkflowsRequest
	// WorkflowPage is one page of workflows.
	WorkflowPage = meshflowv1.ListWorkflowsResponse
	// WorkflowValidation is what is wrong with a definition, if anything.
	WorkflowValidation = meshflowv1.WorkflowValidation
	// MeshNode is a node of the mesh, as registered and as the server sees it.
	MeshNode = meshflowv1.MeshNode
	// MeshConcern is work that a node takes, with its priority.
	MeshConcern = meshflowv1.MeshConcern
	// RegisterNodeRequest is a node to register.
	RegisterNodeRequest = meshflowv1.RegisterNodeRequest
	// ResolveNodeRequest asks whom a step would go to.
	ResolveNodeRequest = meshflowv1.ResolveNodeRequest
	// MeshChange is something that happened to a node.
	MeshChange = meshflowv1.MeshChange
	// ServerHealth is the health, version and uptime of the server.
	ServerHealth = meshflowv1.GetHealthResponse
)

// Task returns a request that runs a task in words on the default workflow.
func Task(task string) *RunRequest {
	return &RunRequest{Task: &task}
}
