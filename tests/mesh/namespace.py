"""A network namespace behind a bridge of this machine, whose cable can be pulled: packets are then dropped, and nothing is closed."""

from __future__ import annotations

import os
import subprocess


class Namespace:
    """Needs root. ``address`` is the one inside; raises CalledProcessError or OSError where namespaces cannot be made."""

    def __init__(self) -> None:
        number = os.getpid() % 65_000
        self.name = f"mf{number}"
        self._bridge, self._cable, self._inner = (f"{self.name}{part}" for part in ("b", "c", "i"))
        # RFC 2544's range for tests of networks.
        network = f"198.{18 + number // 256 % 2}.{number % 256}"
        self.address = f"{network}.2"
        _ip("netns", "add", self.name)
        try:
            _ip("link", "add", self._bridge, "type", "bridge")
            _ip("address", "add", f"{network}.1/24", "dev", self._bridge)
            _ip("link", "set", self._bridge, "up")
            _ip("link", "add", self._cable, "type", "veth", "peer", "name", self._inner, "netns", self.name)
            _ip("-n", self.name, "address", "add", f"{self.address}/24", "dev", self._inner)
            for link in (self._inner, "lo"):
                _ip("-n", self.name, "link", "set", link, "up")
            _ip("link", "set", self._cable, "up")
            self.plug()
        except BaseException:
            self.close()
            raise

    @property
    def within(self) -> tuple[str, ...]:
        """What starts a command inside."""
        return ("ip", "netns", "exec", self.name)

    def plug(self) -> None:
        """Packets pass."""
        _ip("link", "set", self._cable, "master", self._bridge)

    def pull(self) -> None:
        """What either side sends is lost."""
        _ip("link", "set", self._cable, "nomaster")

    def close(self) -> None:
        """Takes all of it away, as far as it is there."""
        for what in (("netns", "delete", self.name), ("link", "delete", self._cable), ("link", "delete", self._bridge)):
            subprocess.run(["ip", *what], capture_output=True, check=False)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], capture_output=True, check=True)
