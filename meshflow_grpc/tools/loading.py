"""Finds the registry that ``MESHFLOW_APP`` names."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

from meshflow_grpc.tools.builtin import BUILT_IN
from meshflow_grpc.tools.registry import Registry


class RegistryNotFoundError(ValueError):
    """The address of a registry leads nowhere; the text says where it ends and why."""

    def __init__(self, problem: str) -> None:
        super().__init__(f"MESHFLOW_APP (--app): {problem}")


def load_registry(address: str | None) -> Registry:
    """Imports ``pkg.module:registry``, the working directory included; without an address there are the built-in tools only.

    The built-in tools are added where the application has none of their names. Raises RegistryNotFoundError.
    """
    if not address:
        return Registry(*BUILT_IN)
    module_name, separator, attribute = address.partition(":")
    if not separator or not all(part.isidentifier() for part in (*module_name.split("."), *attribute.split("."))):
        raise RegistryNotFoundError(f"{address!r} does not look like pkg.module:registry")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    found: object = _module(module_name)
    for part in attribute.split("."):
        found = getattr(found, part, None)
    if not isinstance(found, Registry):
        what = "nothing" if found is None else f"of type {type(found).__name__}"
        raise RegistryNotFoundError(f"{attribute!r} in module {module_name!r} is {what}, not a meshflow_grpc.Registry")
    return found.with_tools(*BUILT_IN)


def _module(name: str) -> object:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        missing = error.name or name
        where = "" if name == missing or name.startswith(f"{missing}.") else f", which module {name!r} imports"
        raise RegistryNotFoundError(f"there is no module {missing!r}{where}") from error
    except Exception as error:
        raise RegistryNotFoundError(f"module {name!r} raised {type(error).__name__} on import: {error}") from error
