"""The fifteen stages, in their order. This tuple is the kernel's table of contents; the order lives nowhere else."""

from __future__ import annotations

from meshflow_grpc.kernel.stages.audit_ledger import AuditLedger
from meshflow_grpc.kernel.stages.budget_check import BudgetCheck
from meshflow_grpc.kernel.stages.compliance_profile import ComplianceProfile
from meshflow_grpc.kernel.stages.execution import ExecutionStage
from meshflow_grpc.kernel.stages.identity_verification import IdentityVerification
from meshflow_grpc.kernel.stages.input_guardrails import InputGuardrails
from meshflow_grpc.kernel.stages.output_guardrails import OutputGuardrails
from meshflow_grpc.kernel.stages.policy_evaluation import PolicyEvaluation
from meshflow_grpc.kernel.stages.rate_limiting import RateLimiting
from meshflow_grpc.kernel.stages.risk_classification import RiskClassification
from meshflow_grpc.kernel.stages.sensitive_data_scan import SensitiveDataScan
from meshflow_grpc.kernel.stages.sla_record import SlaRecord
from meshflow_grpc.kernel.stages.taint_propagation import TaintPropagation
from meshflow_grpc.kernel.stages.tenant_scoping import TenantScoping
from meshflow_grpc.kernel.stages.tool_permission import ToolPermission

FIFTEEN_STAGES = (
    IdentityVerification,  # 1
    TenantScoping,  # 2
    RateLimiting,  # 3
    BudgetCheck,  # 4   reserves before anything is spent
    PolicyEvaluation,  # 5
    ComplianceProfile,  # 6
    InputGuardrails,  # 7
    SensitiveDataScan,  # 8
    RiskClassification,  # 9
    TaintPropagation,  # 10
    ToolPermission,  # 11
    ExecutionStage,  # 12  breaker, retries, time-outs, the agent itself
    OutputGuardrails,  # 13
    AuditLedger,  # 14  always: fail closed, no entry, no output
    SlaRecord,  # 15  always
)

STAGE_NAMES = tuple(stage.name for stage in FIFTEEN_STAGES)
