"""Puts the runtime together from its parts, without any transport."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from meshflow_grpc import __version__
from meshflow_grpc.commands.approve_workflow import ApproveWorkflowCommand
from meshflow_grpc.commands.cancel_run import CancelRunCommand
from meshflow_grpc.commands.catalog import Commands
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
from meshflow_grpc.commands.mesh import mesh_commands
from meshflow_grpc.commands.put_workflow import PutWorkflowCommand
from meshflow_grpc.commands.run import RunCommand
from meshflow_grpc.commands.stream_run import StreamRunCommand
from meshflow_grpc.commands.validate_workflow import ValidateWorkflowCommand
from meshflow_grpc.commands.verify_run import VerifyRunCommand
from meshflow_grpc.commands.wait_run import WaitRunCommand
from meshflow_grpc.commands.watch_run import WatchRunCommand
from meshflow_grpc.config.signing import passing_keys
from meshflow_grpc.domain.conversation import ConversationBounds
from meshflow_grpc.domain.policy import Policy
from meshflow_grpc.engine.active_runs import ActiveRuns, RunLimits
from meshflow_grpc.engine.admission import Admission
from meshflow_grpc.engine.calls_under_way import CallsUnderWay
from meshflow_grpc.engine.conversations import Conversations
from meshflow_grpc.engine.dispatched import DispatchedEngine
from meshflow_grpc.engine.driving import RunDriver
from meshflow_grpc.engine.elsewhere import Elsewhere
from meshflow_grpc.engine.emergency_reviews import EmergencyReviews
from meshflow_grpc.engine.engine import Engine
from meshflow_grpc.engine.event_hub import EventHub
from meshflow_grpc.engine.executor import RunTools
from meshflow_grpc.engine.gate_expiry import GateExpiry, GateTimes
from meshflow_grpc.engine.gates import Gates
from meshflow_grpc.engine.intake import Intake
from meshflow_grpc.engine.learning import Learning
from meshflow_grpc.engine.log_publisher import LogPublisher
from meshflow_grpc.engine.node_checks import NodeChecks
from meshflow_grpc.engine.ownership import Ownership
from meshflow_grpc.engine.parts import EngineParts
from meshflow_grpc.engine.peer_runs import ending_peer_runs
from meshflow_grpc.engine.preflight import Preflight
from meshflow_grpc.engine.recorder import PublishingRecorder
from meshflow_grpc.engine.registered_workflows import RegisteredWorkflows
from meshflow_grpc.engine.resumption import Resumption
from meshflow_grpc.engine.run_contexts import RunContexts
from meshflow_grpc.engine.run_webhooks import RunWebhooks
from meshflow_grpc.engine.server_state import ServerState
from meshflow_grpc.engine.sessions import Sessions
from meshflow_grpc.engine.sole_server import SoleServer
from meshflow_grpc.engine.step_making import PEER_TOOL
from meshflow_grpc.governance.compliance import Safeguards
from meshflow_grpc.governance.detection.scanner import TextScanner
from meshflow_grpc.governance.detection.window.output_window import OutputWindows
from meshflow_grpc.governance.emergency import EmergencyAccess
from meshflow_grpc.governance.floors import ServerFloors
from meshflow_grpc.governance.rate_limit import RateLimiter
from meshflow_grpc.governance.reauthentication import Reauthentication
from meshflow_grpc.governance.recipients import DeclaredRecipients
from meshflow_grpc.kernel.kernel import Kernel
from meshflow_grpc.kernel.output_windows import Windows
from meshflow_grpc.kernel.ports import KernelPorts
from meshflow_grpc.ledger.log_keys import LogKeys
from meshflow_grpc.ports.tracer import NoTracer
from meshflow_grpc.system import SystemClock, Uuid7Ids, jitter
from meshflow_grpc.telemetry.log_notifier import LogNotifier
from meshflow_grpc.telemetry.log_observer import LogObserver
from meshflow_grpc.tools.loading import load_registry

if TYPE_CHECKING:
    from meshflow_grpc.kernel.ports import Jitter, Scanner
    from meshflow_grpc.ports.anchor import HeadAnchor
    from meshflow_grpc.ports.clock import Clock, IdSource
    from meshflow_grpc.ports.dispatch import RunDispatch
    from meshflow_grpc.ports.http import HttpCaller
    from meshflow_grpc.ports.leases import RunLeases
    from meshflow_grpc.ports.mesh import MeshAccess, MeshMember
    from meshflow_grpc.ports.notifier import ApprovalNotifier
    from meshflow_grpc.ports.observer import Observer
    from meshflow_grpc.ports.provider import ModelProvider
    from meshflow_grpc.ports.storage import Storage
    from meshflow_grpc.ports.tools import ToolCatalog
    from meshflow_grpc.ports.tracer import Tracer
    from meshflow_grpc.ports.webhooks import WebhookSender

# Steps a second that one agent of one tenant may take, with bursts of as many.
STEP_RATE_PER_S = 5_000


@dataclass(frozen=True, slots=True)
class RuntimeOptions:
    """What an operator may set about the runtime itself."""

    default_policy: Policy = field(default_factory=Policy)
    allow_inline_workflows: bool = True
    max_in_flight: int = 1024
    tenant_in_flight: int | None = None
    tenant_starts_per_s: float | None = None
    step_rate_per_s: float = STEP_RATE_PER_S
    revoked_agents: frozenset[str] = frozenset()
    allow_webhooks: bool = False
    floors: ServerFloors = field(default_factory=ServerFloors)
    production: bool = False
    payloads_encrypted: bool = False
    transport_encrypted: bool = False
    conversation: ConversationBounds = field(default_factory=ConversationBounds)
    reauthentication: Reauthentication = field(default_factory=Reauthentication)
    recipients: DeclaredRecipients = field(default_factory=DeclaredRecipients)
    payload_days: int | None = None
    emergency: EmergencyAccess = field(default_factory=EmergencyAccess)


@dataclass(frozen=True, slots=True)
class Outside:
    """The outside world as the runtime sees it; tests put fakes here."""

    storage: Storage
    provider: ModelProvider
    clock: Clock = field(default_factory=SystemClock)
    ids: IdSource = field(default_factory=Uuid7Ids)
    scanner: Scanner = field(default_factory=TextScanner)
    jitter: Jitter = jitter
    log_keys: LogKeys = field(default_factory=passing_keys)
    anchor: HeadAnchor | None = None
    notifier: ApprovalNotifier = field(default_factory=LogNotifier)
    tools: ToolCatalog = field(default_factory=lambda: load_registry(None))
    http: HttpCaller | None = None
    observer: Observer = field(default_factory=LogObserver)
    tracer: Tracer = field(default_factory=NoTracer)
    leases: RunLeases | None = None
    peers: MeshAccess | None = None
    sender: WebhookSender | None = None
    mesh: MeshMember | None = None
    dispatch: RunDispatch | None = None


@dataclass(frozen=True, slots=True)
class Runtime:
    """The governed runtime without any transport."""

    storage: Storage
    engine: Engine
    hub: EventHub
    state: ServerState
    commands: Commands
    log: LogPublisher
    gates: Gates
    expiry: GateExpiry
    ownership: Ownership
    webhooks: RunWebhooks | None
    driver: RunDriver | None


def _windows(scanner: Scanner) -> Windows | None:
    """What lets outputs be shown as they come; there is none for a scanner whose rules it does not know."""
    if type(scanner) is not TextScanner:
        return None
    known = scanner
    return Windows(lambda: OutputWindows(known).open)


def assemble(outside: Outside, options: RuntimeOptions) -> Runtime:
    """Puts the runtime together; nothing runs yet."""
    storage, observer = outside.storage, outside.observer
    state, hub = ServerState(__version__, outside.clock), EventHub()
    recorder = PublishingRecorder(storage, hub, observer, outside.clock)
    ports = _kernel_ports(outside, options, recorder)
    world = (outside.clock, outside.tools, outside.tracer, outside.http, outside.leases)
    tools = RunTools(Kernel(ports), recorder, hub, *world, peer=PEER_TOOL if outside.peers is not None else None)
    admission = _admission(outside, options)
    workflows, learning = RegisteredWorkflows(storage), Learning(storage, outside.clock)
    conversations = Conversations(storage, outside.scanner, options.conversation)
    contexts = RunContexts(Sessions(storage), conversations, learning, outside.clock)
    elsewhere = Elsewhere(outside.leases or SoleServer(storage), storage, hub)
    resumption = Resumption(storage, tools, admission, contexts, CallsUnderWay(ports, outside.tools))
    told = ending_peer_runs(observer, storage, outside.peers)
    intake = Intake(workflows, admission, storage, outside.clock, options.reauthentication, options.payload_days)
    own = (storage, tools, admission, resumption, contexts, outside.ids, told)
    times = GateTimes(outside.notifier)
    parts = EngineParts(*own, times, intake, elsewhere)
    limits = RunLimits(options.max_in_flight, options.tenant_in_flight, options.tenant_starts_per_s)
    engine = _engine(parts, ActiveRuns(limits, state, outside.clock), outside.dispatch)
    log = LogPublisher(storage, outside.log_keys, outside.clock, outside.anchor, observer.log_not_published)
    gates = Gates(
        storage, recorder, engine, outside.clock, state, options.reauthentication, options.emergency, observer
    )
    reviews = EmergencyReviews(storage, recorder, engine, gates, outside.clock, options.reauthentication)
    expiry = GateExpiry(storage, gates, engine, outside.clock, times)
    commands = Commands(
        run=RunCommand(engine, gates),
        stream_run=StreamRunCommand(engine, hub, storage),
        create_run=CreateRunCommand(engine, gates),
        get_run=GetRunCommand(storage, gates),
        list_runs=ListRunsCommand(storage),
        wait_run=WaitRunCommand(engine, storage, gates),
        watch_run=WatchRunCommand(storage, hub),
        cancel_run=CancelRunCommand(engine, storage, gates),
        check_run=CheckRunCommand(engine, Preflight(ports, outside.tools), storage, learning, conversations),
        diff_runs=DiffRunsCommand(storage),
        fork_run=ForkRunCommand(engine, storage, outside.clock, options.reauthentication),
        list_entries=ListEntriesCommand(storage),
        verify_run=VerifyRunCommand(storage, outside.log_keys.verifiers, observer),
        get_tree_head=GetTreeHeadCommand(log),
        get_inclusion_proof=GetInclusionProofCommand(storage, log),
        get_consistency_proof=GetConsistencyProofCommand(storage, log),
        export_run=ExportRunCommand(storage, log, outside.log_keys.verifiers, outside.clock, outside.peers),
        erase_run=EraseRunCommand(storage, outside.clock),
        list_approvals=ListApprovalsCommand(storage, gates),
        get_approval=GetApprovalCommand(gates, reviews),
        decide_approval=DecideApprovalCommand(gates, reviews),
        put_workflow=PutWorkflowCommand(storage, workflows, admission, outside.clock),
        get_workflow=GetWorkflowCommand(workflows),
        list_workflows=ListWorkflowsCommand(storage),
        validate_workflow=ValidateWorkflowCommand(workflows, admission),
        approve_workflow=ApproveWorkflowCommand(storage, workflows, admission, outside.clock),
        mesh=mesh_commands(outside.mesh, outside.clock, outside.ids),
    )
    ownership = Ownership(elsewhere.leases, engine, hub)
    webhooks = None if outside.sender is None else RunWebhooks(storage, outside.clock, outside.sender)
    driver = _driver(engine, gates, expiry, outside)
    return Runtime(storage, engine, hub, state, commands, log, gates, expiry, ownership, webhooks, driver)


def _engine(parts: EngineParts, active: ActiveRuns, dispatch: RunDispatch | None) -> Engine:
    return Engine(parts, active) if dispatch is None else DispatchedEngine(parts, active, dispatch)


def _driver(engine: Engine, gates: Gates, expiry: GateExpiry, outside: Outside) -> RunDriver | None:
    if not isinstance(engine, DispatchedEngine):
        return None
    return RunDriver(engine, outside.storage, gates, expiry, outside.clock)


def _kernel_ports(outside: Outside, options: RuntimeOptions, recorder: PublishingRecorder) -> KernelPorts:
    return KernelPorts(
        recorder=recorder,
        sessions=outside.storage,
        provider=outside.provider,
        scanner=outside.scanner,
        limiter=RateLimiter(options.step_rate_per_s, max(1, int(options.step_rate_per_s))),
        clock=outside.clock,
        observer=outside.observer,
        jitter=outside.jitter,
        tracer=outside.tracer,
        revoked_agents=options.revoked_agents,
        safeguards=_safeguards(options),
        recipients=options.recipients,
        windows=_windows(outside.scanner),
        mesh=outside.peers,
    )


def _safeguards(options: RuntimeOptions) -> Safeguards:
    return Safeguards(options.production, options.payloads_encrypted, options.transport_encrypted)


def _admission(outside: Outside, options: RuntimeOptions) -> Admission:
    return Admission(
        options.default_policy,
        allow_inline=options.allow_inline_workflows,
        checks=NodeChecks(outside.provider, outside.tools, outside.http, has_peers=outside.peers is not None),
        allow_webhooks=options.allow_webhooks,
        floors=options.floors,
        safeguards=_safeguards(options),
    )
