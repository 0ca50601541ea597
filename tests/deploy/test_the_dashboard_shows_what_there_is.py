"""The Grafana dashboard: panels beside each other, a data source that the reader chooses, a unit for each, something for each alert."""

from __future__ import annotations

import json
from itertools import combinations
from typing import Any

from tools.check_deploy import MONITORING

DASHBOARD = json.loads((MONITORING / "grafana-dashboard.json").read_text("utf-8"))
PANELS: list[dict[str, Any]] = DASHBOARD["panels"]
COLUMNS = 24


def test_panels_have_ids_of_their_own_and_places_of_their_own() -> None:
    """Grafana would drop one of two with the same id, and stack those that overlap."""
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)
    for one, other in combinations((panel["gridPos"] for panel in PANELS), 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        above = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or above, (one, other)
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= COLUMNS for panel in PANELS)


def test_each_panel_asks_the_chosen_data_source_and_names_its_unit() -> None:
    """The dashboard is imported anywhere: no data source of somebody's is written into it."""
    (variable,) = DASHBOARD["templating"]["list"]
    assert variable["type"] == "datasource"
    for panel in PANELS:
        assert panel["datasource"]["uid"] == f"${{{variable['name']}}}", panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert panel["targets"], panel["title"]
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])


def test_every_alert_about_work_has_a_panel_to_look_at() -> None:
    """Whoever is woken by it sees the series it fired on."""
    shown = " ".join(target["expr"] for panel in PANELS for target in panel["targets"])
    for metric in (
        "meshflow_runs_ended_total",
        "meshflow_cost_usd_total",
        "meshflow_ledger_append_seconds",
        "meshflow_ledger_append_failures_total",
        "meshflow_rpcs_total",
        "meshflow_step_refusals_total",
        "meshflow_ledger_verifications_total",
        "loop_iterated",
    ):
        assert metric in shown, metric
