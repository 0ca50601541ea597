"""Which role an RPC takes. An RPC that is not in the table keeps the server from starting: none can be forgotten."""

from __future__ import annotations

ROLES = ("viewer", "operator", "approver", "admin", "emergency")
VIEWER = frozenset(ROLES)
OPERATOR = frozenset({"operator", "admin"})
APPROVER = frozenset({"approver", "admin"})
ADMIN = frozenset({"admin"})
# Who may decide, if only by breaking the glass: what each may is decided with the decision.
DECIDER = frozenset({"approver", "admin", "emergency"})

PUBLIC_METHODS = (
    "/meshflow.v1.SystemService/",
    "/meshflow.v1.RestService/GetOpenApi",
    "/meshflow.v1.RestService/GetNodeKeys",
    "/grpc.health.",
    "/grpc.reflection.",
)

ALLOWED: dict[str, frozenset[str]] = {
    "/meshflow.v1.RunService/Run": OPERATOR,
    "/meshflow.v1.RunService/StreamRun": OPERATOR,
    "/meshflow.v1.RunService/CreateRun": OPERATOR,
    "/meshflow.v1.RunService/GetRun": VIEWER,
    "/meshflow.v1.RunService/ListRuns": VIEWER,
    "/meshflow.v1.RunService/WaitRun": VIEWER,
    "/meshflow.v1.RunService/WatchRun": VIEWER,
    "/meshflow.v1.RunService/CancelRun": OPERATOR,
    "/meshflow.v1.RunService/CheckRun": VIEWER,
    "/meshflow.v1.RunService/DiffRuns": VIEWER,
    "/meshflow.v1.RunService/ForkRun": OPERATOR,
    "/meshflow.v1.RestService/ForkRunJson": OPERATOR,
    "/meshflow.v1.RestService/RunJson": OPERATOR,
    "/meshflow.v1.RestService/StreamRunJson": OPERATOR,
    "/meshflow.v1.RestService/CreateRunJson": OPERATOR,
    "/meshflow.v1.RestService/CheckRunJson": VIEWER,
    "/meshflow.v1.RestService/CancelRunJson": OPERATOR,
    "/meshflow.v1.RestService/WatchRunEvents": VIEWER,
    "/meshflow.v1.LedgerService/ListEntries": VIEWER,
    "/meshflow.v1.LedgerService/VerifyRun": VIEWER,
    "/meshflow.v1.LedgerService/GetTreeHead": VIEWER,
    "/meshflow.v1.LedgerService/GetInclusionProof": VIEWER,
    "/meshflow.v1.LedgerService/GetConsistencyProof": VIEWER,
    "/meshflow.v1.LedgerService/ExportRun": VIEWER,
    "/meshflow.v1.LedgerService/EraseRun": ADMIN,
    "/meshflow.v1.RestService/EraseRunJson": ADMIN,
    "/meshflow.v1.ApprovalService/ListApprovals": VIEWER,
    "/meshflow.v1.ApprovalService/GetApproval": VIEWER,
    "/meshflow.v1.ApprovalService/DecideApproval": DECIDER,
    "/meshflow.v1.RestService/DecideApprovalJson": DECIDER,
    "/meshflow.v1.WorkflowService/PutWorkflow": OPERATOR,
    "/meshflow.v1.WorkflowService/GetWorkflow": VIEWER,
    "/meshflow.v1.WorkflowService/ListWorkflows": VIEWER,
    "/meshflow.v1.WorkflowService/ValidateWorkflow": VIEWER,
    "/meshflow.v1.WorkflowService/ApproveWorkflow": APPROVER,
    "/meshflow.v1.RestService/ApproveWorkflowJson": APPROVER,
    "/meshflow.v1.RestService/PutWorkflowJson": OPERATOR,
    "/meshflow.v1.RestService/ValidateWorkflowJson": VIEWER,
    "/meshflow.v1.MeshService/RegisterNode": ADMIN,
    "/meshflow.v1.MeshService/Heartbeat": ADMIN,
    "/meshflow.v1.MeshService/ListNodes": VIEWER,
    "/meshflow.v1.MeshService/ResolveNode": VIEWER,
    "/meshflow.v1.MeshService/WatchMesh": VIEWER,
    "/meshflow.v1.RestService/RegisterNodeJson": ADMIN,
    "/meshflow.v1.RestService/HeartbeatJson": ADMIN,
    "/meshflow.v1.RestService/WatchMeshEvents": VIEWER,
}


def is_public(method: str) -> bool:
    """Whether an RPC is answered without a credential: probes, reflection, the OpenAPI document and a node's public keys."""
    return method.startswith(PUBLIC_METHODS)


def allowed_roles(method: str) -> frozenset[str]:
    """The roles that may call an RPC; raises KeyError for one that is not in the table."""
    return ALLOWED[method]
