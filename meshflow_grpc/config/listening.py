"""The address of the public port."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from pydantic import AfterValidator

from meshflow_grpc.config.problem import ConfigProblem
from meshflow_grpc.domain.address import bare_address, is_address

Host: TypeAlias = Annotated[str, AfterValidator(bare_address)]


def host_problems(host: str, *, use_envoy: bool) -> tuple[ConfigProblem, ...]:
    """Envoy looks no names up for what it listens on."""
    if not use_envoy or is_address(host):
        return ()
    fix = "set it to an address of this machine, 127.0.0.1 for it alone or 0.0.0.0 for all"
    return (ConfigProblem("MESHFLOW_HOST", f"{host!r} is not an IP address", fix),)
