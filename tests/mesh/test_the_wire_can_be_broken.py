"""The proxy and the failing peer do what the tests of the mesh take them for."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import closing, suppress
from typing import TYPE_CHECKING

import grpc
import pytest

from tests.mesh.failing_peer import FailingPeer
from tests.mesh.tcp_proxy import TcpProxy

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def wire() -> Iterator[TcpProxy]:
    """A proxy before a server that sends everything back."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:

        def echo(connection: socket.socket) -> None:
            with connection, suppress(ConnectionError):  # who asked may be gone
                while data := connection.recv(100):
                    connection.sendall(data)

        def accept() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=echo, args=(connection,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        with closing(TcpProxy()) as proxy:
            proxy.upstream = listener.getsockname()[1]
            yield proxy
            listener.shutdown(socket.SHUT_RDWR)


def said(connection: socket.socket, word: bytes) -> bytes:
    """Says a word and hears the answer."""
    connection.sendall(word)
    return connection.recv(100)


def test_bytes_pass_and_take_as_long_as_told(wire: TcpProxy) -> None:
    """Both ways."""
    with socket.create_connection(("127.0.0.1", wire.port), timeout=60) as connection:
        assert said(connection, b"one") == b"one"
        wire.slow(0.1)
        started = time.monotonic()
        assert said(connection, b"two") == b"two"
        assert time.monotonic() - started >= 0.2


def test_a_partition_is_silence_and_heals(wire: TcpProxy) -> None:
    """Nothing comes, nothing is closed; when it is over, what was sent arrives. New connections are silent too."""
    with socket.create_connection(("127.0.0.1", wire.port), timeout=60) as connection:
        assert said(connection, b"one") == b"one"
        wire.partition()
        connection.sendall(b"two")
        connection.settimeout(0.2)
        with pytest.raises(TimeoutError):
            connection.recv(100)
        with socket.create_connection(("127.0.0.1", wire.port), timeout=0.2) as other, pytest.raises(TimeoutError):
            said(other, b"x")
        connection.settimeout(10)
        wire.pass_on()
        assert connection.recv(100) == b"two"


def test_a_reset_breaks_connections_and_takes_new_ones(wire: TcpProxy) -> None:
    """As a middlebox does that forgot them."""
    with socket.create_connection(("127.0.0.1", wire.port), timeout=60) as connection:
        assert said(connection, b"one") == b"one"
        wire.reset()
        with pytest.raises(ConnectionError):
            while connection.recv(100):
                pass
            raise ConnectionResetError
    with socket.create_connection(("127.0.0.1", wire.port), timeout=60) as connection:
        assert said(connection, b"two") == b"two"


def test_a_failing_peer_fails() -> None:
    """Every method, with the code it was given."""
    with closing(FailingPeer(grpc.StatusCode.RESOURCE_EXHAUSTED)) as peer:
        with grpc.insecure_channel(f"127.0.0.1:{peer.port}") as channel, pytest.raises(grpc.RpcError) as error:
            channel.unary_unary("/any.Service/Method")(b"", timeout=60)
        assert error.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert peer.asked == ["/any.Service/Method"]
