"""Checks deploy/ offline: renders the kustomizations, validates them, and holds them to what the server understands.

Needs Go, which builds kustomize, Compose's own loader and the OpenTelemetry collector once into build/tools. Each problem is a line;
exit code 1 when there are any.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import kubernetes_validate
import promql_parser
import yaml

from meshflow_grpc.config import known_variables
from meshflow_grpc.telemetry.metrics import Metrics
from tools.collector import collector
from tools.go_program import ROOT, built

if TYPE_CHECKING:
    from collections.abc import Iterator

OVERLAYS = ROOT / "deploy" / "kubernetes" / "overlays"
MONITORING = ROOT / "deploy" / "monitoring"
KUSTOMIZE = "sigs.k8s.io/kustomize/kustomize/v5@v5.8.2"
COMPOSE = "github.com/compose-spec/compose-go/v2/cmd@v2.16.2"
COLLECTOR_FILE = ROOT / "deploy" / "otel-collector.yaml"
COMPOSE_FILE = ROOT / "deploy" / "compose.yaml"
HADOLINT = Path(sys.executable).with_name("hadolint")
KUBERNETES = ("1.34", "1.37")
SECRET = "from a secret"
# Kinds of the Prometheus operator, whose schemas are not Kubernetes' own.
FOREIGN = {"ServiceMonitor", "PrometheusRule"}


def render(folder: Path) -> list[dict[str, Any]]:
    """Returns a kustomization's objects. Raises CalledProcessError with kustomize's own words."""
    done = subprocess.run([built(KUSTOMIZE), "build", folder], check=True, capture_output=True, text=True)
    return [document for document in yaml.safe_load_all(done.stdout) if document]


def container_problems() -> Iterator[str]:
    """What a linter says of the Dockerfile, Compose's loader of its file, where variables are ours, and the collector of its."""
    linted = subprocess.run([HADOLINT, "--no-color", ROOT / "Dockerfile"], check=False, capture_output=True, text=True)
    yield from linted.stdout.splitlines()
    loaded = subprocess.run([built(COMPOSE), COMPOSE_FILE], check=False, capture_output=True, text=True)
    if loaded.returncode != 0:
        yield f"{COMPOSE_FILE.name}: {loaded.stderr.strip()}"
        return
    environment = yaml.safe_load(loaded.stdout)["services"]["server"]["environment"]
    for name in environment:
        if name.startswith("MESHFLOW_") and name not in known_variables():
            yield f"{COMPOSE_FILE.name}: the server knows no {name}"
    validate = [str(collector()), "validate", "--config", str(COLLECTOR_FILE)]
    validated = subprocess.run(validate, check=False, capture_output=True, text=True)
    if validated.returncode != 0:
        yield f"{COLLECTOR_FILE.name}: {validated.stderr.strip()}"


def schema_problems(objects: list[dict[str, Any]]) -> Iterator[str]:
    """What the schemas of the oldest and the newest supported Kubernetes say; unknown properties are refused."""
    for document in objects:
        if document["kind"] in FOREIGN:
            continue
        for version in KUBERNETES:
            try:
                kubernetes_validate.validate(document, version, strict=True)
            except kubernetes_validate.ValidationError as error:
                yield f"{_name(document)}: Kubernetes {version}: {error.message}"


def workload_problems(objects: list[dict[str, Any]]) -> Iterator[str]:
    """What the schemas cannot know: a SQLite ledger has one writer, pods are restricted, settings are the server's, names resolve."""
    settings = {o["metadata"]["name"]: o.get("data", {}) for o in objects if o["kind"] == "ConfigMap"}
    scaled = any(o["kind"] == "HorizontalPodAutoscaler" for o in objects)
    for document in objects:
        pod = document.get("spec", {}).get("template", {}).get("spec")
        if pod is None:
            continue
        yield from (f"{_name(document)}: {problem}" for problem in _pod_problems(pod))
        environment = _variables(pod, settings)
        unknown = [v for v in environment if v.startswith("MESHFLOW_") and v not in known_variables()]
        yield from (f"{_name(document)}: the server knows no {variable}" for variable in unknown)
        ledger = environment.get("MESHFLOW_LEDGER_DB") or ""
        many = scaled or document["spec"].get("replicas", 1) > 1
        if (
            document["kind"] == "Deployment"
            and many
            and ledger is not SECRET
            and not ledger.startswith("postgresql://")
        ):
            yield f"{_name(document)}: replicas share a ledger, and a SQLite file has one writer; name a PostgreSQL database"


def _variables(pod: dict[str, Any], settings: dict[str, dict[str, str]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for container in pod["containers"]:
        for source in container.get("envFrom", ()):
            found |= settings.get(source.get("configMapRef", {}).get("name", ""), {})
        for variable in container.get("env", ()):
            found[variable["name"]] = variable.get("value", SECRET)
    return found


def _pod_problems(pod: dict[str, Any]) -> Iterator[str]:
    """The restricted pod security standard, and more: read-only root, bounded memory, no token."""
    outer = pod.get("securityContext", {})
    if not outer.get("runAsNonRoot") or outer.get("seccompProfile", {}).get("type") != "RuntimeDefault":
        yield "a pod runs as nobody in particular, with the default seccomp profile"
    if pod.get("automountServiceAccountToken") is not False:
        yield "the pod needs no service account token"
    for container in (*pod.get("initContainers", ()), *pod["containers"]):
        name, inner = container["name"], container.get("securityContext", {})
        if inner.get("allowPrivilegeEscalation") is not False or inner.get("capabilities") != {"drop": ["ALL"]}:
            yield f"{name}: drop all capabilities and privilege escalation"
        if not inner.get("readOnlyRootFilesystem"):
            yield f"{name}: the root file system is read-only"
        if "memory" not in container.get("resources", {}).get("limits", {}):
            yield f"{name}: memory has a limit"
        if not re.search(r":[^:/]*\d", container["image"]):
            yield f"{name}: the image is pinned to a version"


def monitoring_problems() -> Iterator[str]:
    """Every expression parses, reads only metrics that the server has, and every alert has a runbook."""
    runbooks = (ROOT / "docs" / "operations.md").read_text("utf-8").lower()
    rules = yaml.safe_load((MONITORING / "prometheus-rule.yaml").read_text("utf-8"))
    for rule in (rule for group in rules["spec"]["groups"] for rule in group["rules"]):
        yield from expression_problems(rule["alert"], rule["expr"])
        anchor = rule["annotations"]["runbook_url"].partition("#")[2]
        if anchor != rule["alert"].lower() or f"### {anchor}\n" not in runbooks:
            yield f"{rule['alert']}: docs/operations.md has no section ### {rule['alert']}"
    dashboard = json.loads((MONITORING / "grafana-dashboard.json").read_text("utf-8"))
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            yield from expression_problems(panel["title"], target["expr"].replace("$__rate_interval", "5m"))


def expression_problems(where: str, expression: str) -> Iterator[str]:
    try:
        promql_parser.parse(expression)
    except ValueError as error:
        yield f"{where}: {error}"
    for name in set(re.findall(r"\b(?:meshflow|process)_[a-z_]+", expression)) - _METRICS:
        yield f"{where}: the server has no metric {name}"


def _metrics() -> frozenset[str]:
    metrics = Metrics()
    metrics.watch(active_runs=int, ready=bool)
    metrics.watch_certificate(float)
    metrics.watch_mesh(tuple)
    suffixes = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}
    return frozenset(
        family.name + suffix for family in metrics.registry.collect() for suffix in suffixes.get(family.type, ("",))
    )


_METRICS = _metrics()


def _name(document: dict[str, Any]) -> str:
    return f"{document['kind']}/{document['metadata']['name']}"


def main() -> int:
    """Checks everything and prints what is wrong."""
    problems = [*monitoring_problems(), *container_problems()]
    for folder in sorted(path.parent for path in OVERLAYS.glob("*/kustomization.yaml")):
        objects = render(folder)
        found = [*schema_problems(objects), *workload_problems(objects)]
        problems += [f"{folder.name}: {problem}" for problem in found]
        sys.stdout.write(f"{folder.relative_to(ROOT)}: {len(objects)} objects, {len(found)} problems\n")
    sys.stderr.writelines(f"{problem}\n" for problem in problems)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
