"""A file that verifies callers and cannot be used is named, with the setting that names it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from meshflow_grpc.app.authentication import open_authentication
from meshflow_grpc.config import Settings

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("auth", "setting", "more"),
    [
        ("api_key", "api_keys_file", {}),
        ("mtls", "mtls_identities_file", {}),
        ("jwt", "jwt_jwks_file", {"jwt_audience": "meshflow", "jwt_issuer": "https://issuer.example"}),
    ],
)
@pytest.mark.parametrize(("held", "said"), [(b"\xff\xfe", "not UTF-8 text"), (b"[5]", "")])
async def test_the_setting_and_the_file_are_named(
    tmp_path: Path, auth: str, setting: str, more: dict[str, Any], held: bytes, said: str
) -> None:
    """What is no text, and what is other JSON."""
    path = tmp_path / "callers"
    path.write_bytes(held)
    settings = Settings.model_construct(auth=auth, jwt_jwks_url=None, **{setting: path}, **more)
    with pytest.raises(ValueError, match=f"MESHFLOW_{setting.upper()}: .*callers: .*{said}"):
        await open_authentication(settings, "proof")
