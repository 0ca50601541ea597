"""SQL of sessions."""

from __future__ import annotations

from meshflow_grpc.storage.session_use import select_use

# Parameters: tenant, session, and the last place that counts.
SELECT_USE = select_use(
    tenant="$1",
    session="$2",
    up_to="$3",
    step="split_part(e.step_id, '$', 1)",
    resumed="'resume#' || (e.attempt + 1)",
    spent_type="bigint",
)
