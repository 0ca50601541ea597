"""What the engine works with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from meshflow_grpc.engine.admission import Admission
    from meshflow_grpc.engine.elsewhere import Elsewhere
    from meshflow_grpc.engine.executor import RunTools
    from meshflow_grpc.engine.intake import Intake
    from meshflow_grpc.engine.resumption import Resumption
    from meshflow_grpc.engine.run_contexts import RunContexts
    from meshflow_grpc.ports.clock import IdSource
    from meshflow_grpc.ports.notifier import ApprovalNotifier
    from meshflow_grpc.ports.observer import RunObserver
    from meshflow_grpc.ports.storage import Storage


@dataclass(frozen=True, slots=True)
class EngineParts:
    """Those that all runs of a process share."""

    storage: Storage
    tools: RunTools
    admission: Admission
    resumption: Resumption
    contexts: RunContexts
    ids: IdSource
    observer: RunObserver
    notifier: ApprovalNotifier
    intake: Intake
    elsewhere: Elsewhere
