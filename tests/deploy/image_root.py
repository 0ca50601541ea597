"""Stands in for a container engine: the Dockerfile's stages, each an overlay on a root that debootstrap makes, and processes in one.

Needs root, debootstrap, overlayfs and namespaces. What it cannot stand in for is the base image itself: its Python is Debian's.
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.deploy.dockerfile import ROOT, Stage

SUITE = "bookworm"
BASE = ROOT / "build" / f"rootfs-{SUITE}"
SEARCHED = "/usr/local/bin:/usr/local/sbin:/usr/bin:/usr/sbin:/bin:/sbin"


def missing() -> list[str]:
    """What keeps this machine from standing in for an engine."""
    needed = [tool for tool in ("debootstrap", "unshare", "nsenter", "setpriv", "ip") if shutil.which(tool) is None]
    if needed or os.geteuid() != 0:
        return [*needed, "root"] if os.geteuid() != 0 else needed
    namespaces = subprocess.run(["unshare", "--mount", "--pid", "--net", "--fork", "true"], capture_output=True)
    return [] if namespaces.returncode == 0 else ["namespaces"]


def base() -> Path:
    """A minimal Debian with Python where the base image has it; made once."""
    if not BASE.exists():
        BASE.parent.mkdir(exist_ok=True)
        half = BASE.with_suffix(".part")
        shutil.rmtree(half, ignore_errors=True)
        packages = "--include=python3,python3-venv,ca-certificates"
        _done(["debootstrap", "--variant=minbase", packages, SUITE, str(half)])
        (half / "usr/local/bin/python").symlink_to("/usr/bin/python3")
        half.rename(BASE)
    return BASE


@dataclass
class Image:
    """A stage that was built: its changes are in ``place``/changes, above the base."""

    place: Path

    @property
    def changes(self) -> Path:
        """What the stage added to the base."""
        return self.place / "changes"

    def mounted(self, *, writable: bool) -> str:
        """Shell commands that mount its root at ``place``/root, in a mount namespace of their own."""
        here = shlex.quote(str(self.place))
        writes = f",upperdir={here}/changes,workdir={here}/work" if writable else ""
        below = f"{base()}" if writable else f"{here}/changes:{base()}"
        return f"""
            set -eu
            mkdir -p {here}/changes {here}/work {here}/root
            mount -t overlay overlay -o lowerdir={below}{writes} {here}/root
            cd {here}/root
            mount -t proc proc proc
            mount -t tmpfs -o mode=755 tmpfs dev
            for node in null zero random urandom; do touch dev/$node; mount --bind /dev/$node dev/$node; done
            """


def build(stage: Stage, place: Path, built: dict[str, Image]) -> Image:
    """Runs the stage's steps in their order as an engine does. Raises AssertionError with the output of the one that fails."""
    image = Image(place)
    lines = [image.mounted(writable=True), _network(stage)]
    for instruction, words in stage.steps:
        if instruction == "RUN":
            lines.append(f"env -i {_environment(stage)} chroot . /bin/sh -ec {shlex.quote(words)}")
        else:
            lines += _copied(words, built)
    place.mkdir()
    _done(["unshare", "--mount", "--fork", "bash", "-c", "\n".join(lines)])
    return image


def _environment(stage: Stage) -> str:
    """What the image says, and how this machine reaches packages."""
    own = {name: value.replace("$PATH", SEARCHED) for name, value in stage.environment.items()}
    kept = {k: v for k, v in os.environ.items() if k.startswith("PIP_") or k.lower().endswith("_proxy")}
    return " ".join(f"{name}={shlex.quote(value)}" for name, value in {"PATH": SEARCHED, **kept, **own}.items())


def _network(stage: Stage) -> str:
    """A stage that installs packages gets names, certificates and local wheels of this machine; none of them stays in it."""
    if not any("pip install" in words for _, words in stage.steps):
        return ""
    wheels = os.environ.get("PIP_FIND_LINKS", "")
    local = f"mkdir -p .{wheels}; mount --bind {wheels} .{wheels}" if Path(wheels).is_dir() and wheels else ""
    return f"""
        for file in /etc/resolv.conf /etc/ssl/certs/ca-certificates.crt; do touch .$file; mount --bind "$(realpath $file)" .$file; done
        {local}
        """


def _copied(words: str, built: dict[str, Image]) -> list[str]:
    *sources, target = words.split()
    origin = ROOT
    if sources[0].startswith("--from="):
        origin = built[sources.pop(0).removeprefix("--from=")].changes
    lines = [f"mkdir -p .{target if target.endswith('/') else Path(target).parent}"]
    for source in sources:
        path = origin / source.lstrip("/")
        into = f".{target}/." if path.is_dir() else f".{target}"
        make = f"mkdir -p .{target}; " if path.is_dir() else ""
        lines.append(f"{make}cp -a --no-preserve=ownership {path}{'/.' if path.is_dir() else ''} {into}")
    return lines


class Container:
    """A command as process 1 of its own namespaces: read-only root, the image's user, no capabilities, loopback alone."""

    def __init__(self, image: Image, stage: Stage, command: list[str], log: Path, **environment: str) -> None:
        user, _, group = stage.said["USER"].partition(":")
        own = {name: value.replace("$PATH", SEARCHED) for name, value in stage.environment.items()} | environment
        self._as_user = ["setpriv", f"--reuid={user}", f"--regid={group}", "--clear-groups", "--no-new-privs"]
        self._as_user += ["--bounding-set=-all", "--inh-caps=-all", "env", "-i"]
        self._as_user += [f"{name}={value}" for name, value in own.items()]
        inside = shlex.join([*self._as_user, "sh", "-c", f"cd {stage.said['WORKDIR']} && exec {shlex.join(command)}"])
        start = f"""
            {image.mounted(writable=False)}
            mount -t tmpfs -o mode=700,uid={user},gid={group} tmpfs .{stage.said["VOLUME"]}
            mount -t tmpfs -o mode=1777 tmpfs tmp
            ip link set lo up
            exec chroot . {inside}
            """
        namespaces = ["--mount", "--pid", "--net", "--ipc", "--uts", "--fork", "--kill-child"]
        with log.open("w") as output:
            self._unshare = subprocess.Popen(
                ["unshare", *namespaces, "bash", "-c", start], stderr=output, stdout=output
            )

    @property
    def pid(self) -> int:
        """Process 1, by its number outside; waits for it to be there."""
        children = Path(f"/proc/{self._unshare.pid}/task/{self._unshare.pid}/children")
        while not (found := children.read_text().split()):
            assert self._unshare.poll() is None, "the namespaces cannot be made"
        return int(found[0])

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Runs a command beside it, as an engine's exec does."""
        enter = ["nsenter", "--target", str(self.pid), "--all", "--root", "--wd"]
        return subprocess.run([*enter, *self._as_user, *command], capture_output=True, text=True, timeout=60)

    def status(self) -> dict[str, str]:
        """What the kernel says of process 1."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}

    def terminate(self) -> int:
        """SIGTERM to process 1 from outside; returns its exit code."""
        os.kill(self.pid, signal.SIGTERM)
        return self._unshare.wait(timeout=60)

    def kill(self) -> None:
        """Ends whatever is left."""
        self._unshare.kill()
        self._unshare.wait(timeout=60)


def _done(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, f"{done.stderr[-3000:]}{done.stdout[-1000:]}"
