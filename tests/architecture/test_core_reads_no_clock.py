"""Time, ids, randomness and the environment enter the core through ports, so every run can be replayed."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tests.architecture.repository import PACKAGE, handwritten_python, shown

CORE = ("domain", "ports", "ledger", "workflow", "governance", "kernel", "engine", "commands")
AMBIENT = {
    "datetime.now",
    "datetime.utcnow",
    "datetime.today",
    "date.today",
    "time.time",
    "time.time_ns",
    "time.monotonic",
    "time.monotonic_ns",
    "time.perf_counter",
    "uuid.uuid1",
    "uuid.uuid4",
    "os.environ",
    "os.getenv",
    "os.urandom",
}
AMBIENT_MODULES = {"random", "secrets"}


def ambient_uses(source: str) -> Iterator[tuple[int, str]]:
    """Yields the line and name of each use of an ambient source."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Attribute(value=ast.Name(id=owner) | ast.Attribute(attr=owner), attr=name):
                used = {f"{owner}.{name}"} & AMBIENT
            case ast.ImportFrom(module=str(module), names=names):
                used = {f"{module}.{alias.name}" for alias in names} & AMBIENT | {module} & AMBIENT_MODULES
            case ast.Import(names=names):
                used = {alias.name for alias in names} & AMBIENT_MODULES
            case _:
                continue
        yield from ((node.lineno, name) for name in sorted(used))


def test_the_core_takes_nothing_from_its_surroundings() -> None:
    """No module below the adapters reads a clock, makes a random id or looks at the environment."""
    core = [path for path in handwritten_python() if any(path.is_relative_to(PACKAGE / name) for name in CORE)]

    assert core
    assert [f"{shown(path)}:{line} {name}" for path in core for line, name in ambient_uses(path.read_text())] == []


def test_every_form_of_use_is_seen() -> None:
    """Attribute access, from-imports and plain imports are all found."""
    source = "import secrets\nfrom time import monotonic\nimport datetime\ndatetime.datetime.now()\n"

    assert sorted(ambient_uses(source)) == [(1, "secrets"), (2, "time.monotonic"), (4, "datetime.now")]
