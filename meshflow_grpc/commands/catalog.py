"""All commands, for the adapters that call them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from meshflow_grpc.commands.approve_workflow import ApproveWorkflowCommand
    from meshflow_grpc.commands.cancel_run import CancelRunCommand
    from meshflow_grpc.commands.check_run import CheckRunCommand
    from meshflow_grpc.commands.create_run import CreateRunCommand
    from meshflow_grpc.commands.decide_approval import DecideApprovalCommand
    from meshflow_grpc.commands.diff_runs import DiffRunsCommand
    from meshflow_grpc.commands.erase_run import EraseRunCommand
    from meshflow_grpc.commands.export_run import ExportRunCommand
    from meshflow_grpc.commands.fork_run import ForkRunCommand
    from meshflow_grpc.commands.get_approval import GetApprovalCommand
    from meshflow_grpc.commands.get_consistency_proof import GetConsistencyProofCommand
    from meshflow_grpc.commands.get_inclusion_proof import GetInclusionProofCommand
    from meshflow_grpc.commands.get_run import GetRunCommand
    from meshflow_grpc.commands.get_tree_head import GetTreeHeadCommand
    from meshflow_grpc.commands.get_workflow import GetWorkflowCommand
    from meshflow_grpc.commands.list_approvals import ListApprovalsCommand
    from meshflow_grpc.commands.list_entries import ListEntriesCommand
    from meshflow_grpc.commands.list_runs import ListRunsCommand
    from meshflow_grpc.commands.list_workflows import ListWorkflowsCommand
    from meshflow_grpc.commands.mesh import MeshCommands
    from meshflow_grpc.commands.put_workflow import PutWorkflowCommand
    from meshflow_grpc.commands.run import RunCommand
    from meshflow_grpc.commands.stream_run import StreamRunCommand
    from meshflow_grpc.commands.validate_workflow import ValidateWorkflowCommand
    from meshflow_grpc.commands.verify_run import VerifyRunCommand
    from meshflow_grpc.commands.wait_run import WaitRunCommand
    from meshflow_grpc.commands.watch_run import WatchRunCommand


@dataclass(frozen=True, slots=True)
class Commands:
    """One attribute per RPC."""

    run: RunCommand
    stream_run: StreamRunCommand
    create_run: CreateRunCommand
    get_run: GetRunCommand
    list_runs: ListRunsCommand
    wait_run: WaitRunCommand
    watch_run: WatchRunCommand
    cancel_run: CancelRunCommand
    check_run: CheckRunCommand
    diff_runs: DiffRunsCommand
    fork_run: ForkRunCommand
    list_entries: ListEntriesCommand
    verify_run: VerifyRunCommand
    get_tree_head: GetTreeHeadCommand
    get_inclusion_proof: GetInclusionProofCommand
    get_consistency_proof: GetConsistencyProofCommand
    export_run: ExportRunCommand
    erase_run: EraseRunCommand
    list_approvals: ListApprovalsCommand
    get_approval: GetApprovalCommand
    decide_approval: DecideApprovalCommand
    put_workflow: PutWorkflowCommand
    get_workflow: GetWorkflowCommand
    list_workflows: ListWorkflowsCommand
    validate_workflow: ValidateWorkflowCommand
    approve_workflow: ApproveWorkflowCommand
    mesh: MeshCommands
