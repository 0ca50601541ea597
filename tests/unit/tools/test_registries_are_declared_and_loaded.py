"""What an application declares is checked when it is declared, and found by its address."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any

import pytest

from meshflow_grpc import Registry, ToolContext, ToolError, tool
from meshflow_grpc.domain.policy import RiskTier
from meshflow_grpc.tools.loading import RegistryNotFoundError, load_registry
from meshflow_grpc.tools.registry import tool_of

if TYPE_CHECKING:
    from pathlib import Path

CONTEXT = ToolContext("run_1", "acme", "a#1", 1, "run_1/a#1", lambda: False)


async def call(function: Any, **arguments: Any) -> str:
    """Calls a declared tool as the kernel does."""
    return await tool_of(function).call(arguments, CONTEXT)


def test_a_decorated_function_stays_a_function() -> None:
    """Name, description and schema come from it."""

    @tool
    def add(left: int, right: int = 1) -> int:
        """Adds."""
        return left + right

    declared = tool_of(add)
    assert add(1, 2) == 3
    assert (declared.name, declared.description, declared.risk) == ("add", "Adds.", RiskTier.INTERNAL)
    assert declared.labels == {"untrusted", "external"}
    assert declared.check({"left": 1}) is None
    assert "'left' is a required property" in (declared.check({}) or "")
    assert "unexpected" in (declared.check({"left": 1, "top": 2}) or "")


def test_an_explicit_schema_is_used_as_it_is() -> None:
    """And checked to be one."""

    @tool(parameters={"type": "object", "properties": {"n": {"type": "integer", "maximum": 3}}})
    def few(n: int) -> int:
        """Counts."""
        return n

    assert "greater than the maximum" in (tool_of(few).check({"n": 4}) or "")
    with pytest.raises(TypeError, match="is not JSON Schema"):
        tool(parameters={"type": "objekt"})(few)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"risk": "harmless"}, "risk of 'f' must be one of read_only"),
        ({"labels": ["dirty"]}, "labels of 'f' must be of"),
        ({"timeout_s": -1}, "timeout_s of 'f'"),
        ({"name": "two words"}, "tool name 'two words'"),
    ],
)
def test_a_declaration_that_cannot_be_held_to_is_refused(options: dict[str, Any], told: str) -> None:
    """Each field by name."""

    def f() -> str:
        return ""

    with pytest.raises(ValueError, match=told):
        tool(**options)(f)


def test_parameters_must_have_types_and_names() -> None:
    """The model could not know what to give."""

    def bare(x) -> str:  # type: ignore[no-untyped-def]  # noqa: ANN001
        return str(x)

    def spread(*x: int) -> str:
        return str(x)

    with pytest.raises(TypeError, match="needs a type annotation"):
        tool(bare)
    with pytest.raises(TypeError, match="cannot be given by name"):
        tool(spread)
    with pytest.raises(TypeError, match="decorate it"):
        Registry(bare)


def test_names_are_unique() -> None:
    """Of tools and of functions."""

    @tool
    def f() -> str:
        """F."""
        return ""

    with pytest.raises(ValueError, match="two tools named 'f'"):
        Registry(f, f)
    registry = Registry()
    registry.function("g")(f)
    with pytest.raises(ValueError, match="two functions named 'g'"):
        registry.function("g")(f)


async def test_results_are_text_or_json() -> None:
    """Whether they come from a coroutine or from a thread."""

    @tool
    def plain() -> dict[str, int]:
        """Gives an object."""
        return {"n": 1}

    @tool
    async def coroutine(context: ToolContext) -> str:
        """Gives text."""
        return context.idempotency_key

    @tool
    def infinite() -> float:
        """Gives no JSON."""
        return float("inf")

    assert await call(plain) == '{"n": 1}'
    assert await call(coroutine) == "run_1/a#1"
    with pytest.raises(ToolError, match="neither text nor JSON"):
        await call(infinite)


async def test_exceptions_show_their_type_only() -> None:
    """Their text may hold what must not be recorded; leaving the process is not possible."""

    @tool
    def broken() -> str:
        """Raises."""
        raise KeyError("password=hunter2")

    @tool
    async def leaving() -> str:
        """Exits."""
        sys.exit(3)

    for function, kind in ((broken, "KeyError"), (leaving, "SystemExit")):
        with pytest.raises(ToolError) as caught:
            await call(function)
        assert kind in caught.value.message
        assert "hunter2" not in caught.value.message


async def test_a_thread_does_not_hold_up_the_event_loop() -> None:
    """Two that wait for each other both end."""
    from threading import Barrier

    both = Barrier(2, timeout=60)

    @tool
    def meet() -> str:
        """Waits for the other."""
        both.wait()
        return "met"

    assert await asyncio.gather(call(meet), call(meet)) == ["met", "met"]


async def test_the_calculator_computes_and_nothing_else() -> None:
    """No names, no powers, no giants."""
    registry = load_registry(None)
    calculator = registry.tool("calculator")
    assert calculator is not None
    assert await calculator.call({"expression": " (1 + 2.5) * -4 // 3 % 7"}, CONTEXT) == repr((1 + 2.5) * -4 // 3 % 7)
    for bad in ("__import__('os')", "2 ** 9", "1/0", "x", "9" * 200, "(" * 400, "True", "'a' * 3"):
        with pytest.raises(ToolError):
            await calculator.call({"expression": bad}, CONTEXT)


def test_an_address_leads_to_the_registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the working directory, with the built-in tools added."""
    (tmp_path / "shop_of_test.py").write_text(
        "from meshflow_grpc import Registry, tool\n@tool\ndef buy(item: str) -> str:\n    'Buys.'\n    return item\n"
        "registry = Registry(buy)\nother = 7\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))

    assert set(load_registry("shop_of_test:registry").tool_names) == {"buy", "calculator", "clock"}
    with pytest.raises(RegistryNotFoundError, match="is of type int, not a"):
        load_registry("shop_of_test:other")
    with pytest.raises(RegistryNotFoundError, match="is nothing"):
        load_registry("shop_of_test:missing")


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("shop", "does not look like pkg.module:registry"),
        ("no_such_module_here:registry", "there is no module 'no_such_module_here'"),
        ("a b:c", "does not look like"),
    ],
)
def test_an_address_that_leads_nowhere_says_where_it_ends(address: str, told: str) -> None:
    """Instead of a traceback."""
    with pytest.raises(RegistryNotFoundError, match=told):
        load_registry(address)


def test_a_module_that_fails_on_import_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what it raised."""
    (tmp_path / "broken_of_test.py").write_text("1 / 0\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))

    with pytest.raises(RegistryNotFoundError, match="raised ZeroDivisionError on import"):
        load_registry("broken_of_test:registry")
