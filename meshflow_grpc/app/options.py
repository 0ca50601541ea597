"""What the settings say about the runtime itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshflow_grpc.app.assembly import RuntimeOptions
from meshflow_grpc.domain.conversation import ConversationBounds
from meshflow_grpc.governance.emergency import EmergencyAccess
from meshflow_grpc.governance.floors import ServerFloors, Tier
from meshflow_grpc.governance.reauthentication import Reauthentication
from meshflow_grpc.governance.recipients import DeclaredRecipients

if TYPE_CHECKING:
    from meshflow_grpc.config import Settings


def runtime_options(settings: Settings) -> RuntimeOptions:
    """The options of a server, or of a run inside the caller's process."""
    return RuntimeOptions(
        allow_inline_workflows=settings.allow_inline_workflows,
        max_in_flight=settings.max_in_flight_runs,
        tenant_in_flight=settings.tenant_max_in_flight_runs,
        tenant_starts_per_s=settings.tenant_runs_per_s,
        step_rate_per_s=settings.step_rate_per_s,
        revoked_agents=settings.revoked,
        allow_webhooks=settings.webhook_secret is not None,
        floors=ServerFloors(Tier(settings.zt_tier) if settings.zt_tier else None, settings.regulations),
        production=settings.env == "production",
        payloads_encrypted=bool(settings.payload_keys),
        transport_encrypted=settings.uses_tls,
        reauthentication=Reauthentication(settings.reauth_s),
        recipients=DeclaredRecipients(settings.recipients),
        payload_days=settings.payload_days,
        emergency=EmergencyAccess(settings.emergency_s),
        conversation=ConversationBounds(settings.session_turns, settings.session_chars),
    )
