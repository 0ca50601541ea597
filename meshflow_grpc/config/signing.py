"""The keys that sign the log's heads: from the environment, or, in development, from a file beside the ledger."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from meshflow_grpc.config.problem import ConfigProblem, ConfigurationError
from meshflow_grpc.ledger.log_keys import LogKeys
from meshflow_grpc.ledger.note_key import KeyFormatError, VerifierKey, generate_signing_key, load_signing_key

if TYPE_CHECKING:
    from meshflow_grpc.config.settings import Settings
    from meshflow_grpc.ledger.note_key import SigningKey

KEY_FILE_SUFFIX = ".signing-key"
_KEY_FILE_MODE = 0o600
_SECRET_PREFIX = "PRIVATE+KEY+"


def log_keys(settings: Settings) -> LogKeys:
    """Returns the log's name and keys. Raises ConfigurationError for a key that is not valid, OSError for its file.

    Without a configured key a file beside the ledger holds one, made on first use and readable by its owner alone; a ledger in memory
    gets a key that lives as long as it does.
    """
    if settings.signing_key is None:
        current = _development_key(key_file(settings.ledger_db, settings.data_dir), settings.log_origin)
    else:
        current = _loaded("MESHFLOW_SIGNING_KEY", settings.signing_key.get_secret_value())
    signing, trusted = [current], []
    if settings.previous_signing_key is not None:
        text = settings.previous_signing_key.get_secret_value().strip()
        if text.startswith(_SECRET_PREFIX):
            signing.append(_loaded("MESHFLOW_PREVIOUS_SIGNING_KEY", text))
        else:
            trusted.append(_parsed("MESHFLOW_PREVIOUS_SIGNING_KEY", text))
    return LogKeys(settings.log_origin or current.name, tuple(signing), tuple(trusted))


def passing_keys() -> LogKeys:
    """Returns keys that live as long as the process, for a ledger that lives no longer."""
    key = generate_signing_key("meshflow.local/in-memory", os.urandom)
    return LogKeys(key.name, (key,))


def key_file(ledger_db: str, data_dir: Path) -> Path | None:
    """Returns where a ledger's development key is: beside its file, or in the data directory; None for a ledger in memory."""
    path = ledger_db.removeprefix("sqlite:///")
    if path == "memory:":
        return None
    if "://" in path:
        return data_dir / f"meshflow{KEY_FILE_SUFFIX}"
    ledger = Path(path).expanduser()
    return ledger.with_name(ledger.name + KEY_FILE_SUFFIX)


def development_verifiers(ledger_db: str, data_dir: Path) -> tuple[VerifierKey, ...]:
    """Returns the public half of a ledger's development key; none when there is no such file that can be read."""
    path = key_file(ledger_db, data_dir)
    try:
        text = path.read_text(encoding="utf-8") if path is not None else None
    except (OSError, UnicodeDecodeError):
        return ()
    return () if text is None else (_loaded(str(path), text).verifier,)


def write_key_file(path: Path, key: SigningKey) -> None:
    """Writes a new key file, readable by its owner alone; raises FileExistsError rather than replace one."""
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, _KEY_FILE_MODE)
    try:
        os.write(descriptor, f"{key.skey()}\n".encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _development_key(path: Path | None, origin: str | None) -> SigningKey:
    if path is not None and path.exists():
        return _loaded(str(path), path.read_text(encoding="utf-8"))
    key = generate_signing_key(origin or f"meshflow.local/{os.urandom(8).hex()}", os.urandom)
    if path is None:
        return key
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        _write_whole(path, key)
    except FileExistsError:
        return _loaded(str(path), path.read_text(encoding="utf-8"))
    return key


def _write_whole(path: Path, key: SigningKey) -> None:
    """Like write_key_file; another server that starts at the same moment sees all of the file or none."""
    draft = path.with_name(f"{path.name}.{os.getpid()}-{os.urandom(4).hex()}")
    write_key_file(draft, key)
    try:
        path.hardlink_to(draft)
    finally:
        draft.unlink()


def _loaded(variable: str, text: str) -> SigningKey:
    try:
        return load_signing_key(text)
    except KeyFormatError as error:
        raise _not_a_key(variable, error) from error


def _parsed(variable: str, text: str) -> VerifierKey:
    try:
        return VerifierKey.parse(text)
    except KeyFormatError as error:
        raise _not_a_key(variable, error) from error


def _not_a_key(variable: str, error: KeyFormatError) -> ConfigurationError:
    return ConfigurationError(
        (ConfigProblem(variable, error.message, "make a key with `meshflow ledger keygen`, and copy it whole"),)
    )
