"""`MESHFLOW_JWT_JWKS_URL`: keys are rotated at their issuer, over real HTTP, and the server follows."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519

from meshflow_grpc.app.followed_keys import BETWEEN_UNKNOWN_S, FollowedKeys
from meshflow_grpc.config import ConfigurationError, Settings
from meshflow_grpc.domain.errors import UnauthenticatedError
from meshflow_grpc.providers.jwks import MAX_BYTES, fetch_jwks
from tests.service.test_callers_prove_who_they_are import RULES, jwks, token

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

OLD, NEW = ed25519.Ed25519PrivateKey.generate(), ed25519.Ed25519PrivateKey.generate()
DEADLINE_S = 60.0


@dataclass
class Issuer:
    """Serves a key set; ``asked`` counts how often."""

    body: str = field(default_factory=lambda: jwks("old", OLD))
    status: str = "200 OK"
    asked: int = 0
    url: str = ""

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One HTTP/1.1 exchange."""
        await reader.readuntil(b"\r\n\r\n")
        self.asked += 1
        body = self.body.encode()
        head = f"HTTP/1.1 {self.status}\r\ncontent-length: {len(body)}\r\nlocation: {self.url}\r\nconnection: close\r\n\r\n"
        writer.write(head.encode() + body)
        writer.close()


@asynccontextmanager
async def serving() -> AsyncIterator[Issuer]:
    """An issuer on a free port."""
    issuer = Issuer()
    server = await asyncio.start_server(issuer.answer, "127.0.0.1", 0)
    issuer.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/jwks"
    try:
        yield issuer
    finally:
        server.close()


class Clock:
    """Tells the time that a test says."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def followed(issuer: Issuer, clock: Clock, every_s: float = 3600.0) -> FollowedKeys:
    """The issuer's set."""
    return FollowedKeys(lambda: fetch_jwks(issuer.url), every_s, clock)


def bearer(credential: str) -> dict[str, str]:
    """As metadata."""
    return {"authorization": f"Bearer {credential}"}


async def test_a_token_of_a_new_key_is_taken_at_once() -> None:
    """And one of a withdrawn key is refused, though it was taken a moment ago."""
    clock = Clock()
    async with serving() as issuer:
        tokens = await followed(issuer, clock).open(RULES)
        assert (await tokens.authenticate(bearer(token(OLD, key_id="old")))).id == "alice"
        issuer.body = jwks("new", NEW)
        clock.now += BETWEEN_UNKNOWN_S
        assert (await tokens.authenticate(bearer(token(NEW, key_id="new")))).id == "alice"
        assert issuer.asked == 2
        with pytest.raises(UnauthenticatedError):
            await tokens.authenticate(bearer(token(OLD, key_id="old")))


async def test_unknown_keys_do_not_flood_the_issuer() -> None:
    """However many tokens name them, also at once: one fetch, and none for a while."""
    clock = Clock()
    async with serving() as issuer:
        tokens = await followed(issuer, clock).open(RULES)
        clock.now += BETWEEN_UNKNOWN_S
        forged = [bearer(token(NEW, key_id=f"k{number}")) for number in range(50)]
        refused = await asyncio.gather(*map(tokens.authenticate, forged), return_exceptions=True)
        assert {type(each) for each in refused} == {UnauthenticatedError}
        assert issuer.asked == 2
        for each in forged:
            with pytest.raises(UnauthenticatedError):
                await tokens.authenticate(each)
        assert issuer.asked == 2


async def test_the_set_is_fetched_again_by_itself() -> None:
    """A key that no token names yet is dropped all the same."""
    async with serving() as issuer:
        keys = followed(issuer, Clock(), every_s=0.01)
        tokens = await keys.open(RULES)
        keeping = asyncio.create_task(keys.keep())
        issuer.body = jwks("new", NEW)
        async with asyncio.timeout(DEADLINE_S):
            while True:
                try:
                    await tokens.authenticate(bearer(token(OLD, key_id="old")))
                except UnauthenticatedError:
                    break
                await asyncio.sleep(0)
        keeping.cancel()


@pytest.mark.parametrize(
    ("status", "body"),
    [
        ("500 Oops", "{}"),
        ("302 Found", ""),
        ("200 OK", "junk"),
        ("200 OK", '{"keys": []}'),
        ("200 OK", "x" * MAX_BYTES + "x"),
    ],
    ids=["error", "redirect", "junk", "empty", "large"],
)
async def test_a_set_that_cannot_be_used_changes_nothing(status: str, body: str) -> None:
    """At the start it is an error; later the keys before stay."""
    clock = Clock()
    async with serving() as issuer:
        tokens = await followed(issuer, clock).open(RULES)
        issuer.status, issuer.body = status, body
        clock.now += BETWEEN_UNKNOWN_S
        with pytest.raises(UnauthenticatedError):
            await tokens.authenticate(bearer(token(NEW, key_id="new")))
        assert (await tokens.authenticate(bearer(token(OLD, key_id="old")))).id == "alice"
        with pytest.raises((OSError, ValueError)):
            await followed(issuer, clock).open(RULES)


async def test_an_issuer_that_is_away_is_named() -> None:
    """The server does not start, and says whom it could not reach."""
    async with serving() as issuer:
        url = issuer.url
    with pytest.raises(OSError, match=url):
        await fetch_jwks(url)


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("http://issuer.example/jwks", "https://"),
        ("ftp://issuer.example", "https://"),
        ("https://", "https://"),
        ("https://user:secret@issuer.example/jwks", "no credentials"),
    ],
)
def test_a_url_that_could_be_tampered_with_is_refused(monkeypatch: pytest.MonkeyPatch, url: str, problem: str) -> None:
    """Before anything is fetched, and without showing a password."""
    monkeypatch.setenv("MESHFLOW_MOCK", "1")
    with pytest.raises(ConfigurationError, match=problem) as raised:
        Settings.load(auth="jwt", jwt_audience="a", jwt_issuer="b", jwt_jwks_url=url)
    assert "secret" not in str(raised.value)


def test_a_file_and_a_url_are_one_too_many(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One of them would mean nothing."""
    monkeypatch.setenv("MESHFLOW_MOCK", "1")
    (tmp_path / "jwks").write_text(jwks())
    both = {"jwt_jwks_file": tmp_path / "jwks", "jwt_jwks_url": "https://issuer.example/jwks"}
    with pytest.raises(ConfigurationError, match="only one"):
        Settings.load(auth="jwt", jwt_audience="a", jwt_issuer="b", **both)
