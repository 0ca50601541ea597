"""Fetches a JSON Web Key Set (RFC 7517) over HTTP, within bounds."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

import httpx2

TIMEOUT_S: Final = 5.0
MAX_BYTES: Final = 1_048_576
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


async def fetch_jwks(url: str) -> str:
    """Returns the text at a URL. Raises OSError, saying why, when it does not answer 200 with so much text in time."""
    # A proxy of the environment cannot reach this machine's own ports.
    proxied = (urlsplit(url).hostname or "") not in _LOOPBACK
    try:
        async with (
            httpx2.AsyncClient(timeout=TIMEOUT_S, follow_redirects=False, trust_env=proxied) as client,
            client.stream("GET", url, headers={"accept": "application/json"}) as answer,
        ):
            if answer.status_code != httpx2.codes.OK:
                raise OSError(f"{url} answered {answer.status_code}")
            body = b""
            async for piece in answer.aiter_bytes():
                body += piece
                if len(body) > MAX_BYTES:
                    raise OSError(f"{url} sent more than {MAX_BYTES} bytes")
    except httpx2.HTTPError as error:
        raise OSError(f"{url} cannot be fetched: {str(error) or type(error).__name__}") from error
    return body.decode("utf-8", "replace")
