"""envoy/verify.sh tells a good server from a bad one."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.envoy.conftest import Proxy

SCRIPT = Path(__file__).resolve().parents[2] / "envoy" / "verify.sh"
pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="the script needs curl")


async def verified(url: str) -> tuple[int | None, str]:
    """Exit status and output of the script."""
    process = await asyncio.create_subprocess_exec(
        str(SCRIPT), url, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await process.communicate()
    return process.returncode, output.decode()


async def test_a_good_server_passes(proxy: Proxy) -> None:
    """Every check is ok."""
    proxy.witness.proceed.set()

    status, output = await verified(proxy.url)

    assert (status, output.count("ok    "), output.count("FAIL")) == (0, 10, 0), output


async def test_no_server_fails() -> None:
    """Nothing listens there."""
    status, output = await verified("http://127.0.0.1:9")

    assert status == 1
    assert "FAIL  health" in output
