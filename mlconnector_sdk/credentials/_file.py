"""Sealed secrets in a file: replaced as a whole or not at all, one writer at a time, for its owner's eyes only."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from ..errors import VaultError
from ._locks import lock, unlock

__all__ = ["VaultFile"]

_VERSION = 1
_BINARY: int = getattr(os, "O_BINARY", 0)


class VaultFile:
    """Keeps sealed entries as `SealedStore` promises, in one JSON file.

    A new content is written beside the old one and takes its name, so that readers see either. Writers take turns by a
    lock on `….lock`, which stays behind, empty.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path).absolute()

    def __repr__(self) -> str:
        return str(self.path)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, VaultFile) and self.path == other.path

    def __hash__(self) -> int:
        return hash(self.path)

    def sealed(self, names: Sequence[str] | None = None) -> dict[str, str]:
        """See `SealedStore.sealed`; a file that is not there yet holds nothing.

        Raises:
            VaultError: the file cannot be read, is open to others, or is no vault.
        """
        entries = self._read(self.path)
        return entries if names is None else {name: entries[name] for name in names if name in entries}

    def exchange_sealed(self, name: str, before: str | None, after: str | None) -> bool:
        """See `SealedStore.exchange_sealed`.

        Raises:
            VaultError: as in `sealed`, or the file cannot be written; then it is as it was.
        """
        # Where a link leads, so that the link stays one.
        path = Path(os.path.realpath(self.path))
        handle = self._lock(path)
        try:
            entries = self._read(path)
            if entries.get(name) != before:
                return False
            rest = {other: sealed for other, sealed in entries.items() if other != name}
            self._write(path, rest if after is None else {**rest, name: after})
            return True
        finally:
            unlock(handle)
            os.close(handle)

    def _read(self, path: Path) -> dict[str, str]:
        try:
            with path.open("rb") as file:
                self._check_rights(os.fstat(file.fileno()))
                content = file.read()
        except FileNotFoundError:
            return {}
        except OSError as error:
            if path.is_dir():
                raise self._error("is a directory: name a file") from None
            raise self._error(f"cannot be read ({error.strerror}): check its rights") from error
        return self._entries_in(content)

    def _check_rights(self, found: os.stat_result) -> None:
        mode = stat.S_IMODE(found.st_mode)
        # Windows has access lists, of which these bits say nothing.
        if os.name == "posix" and mode & 0o077:
            raise self._error(f"is open to others (mode {mode:04o}): run chmod 600 on it")

    def _entries_in(self, content: bytes) -> dict[str, str]:
        with suppress(ValueError, LookupError, AttributeError, TypeError, RecursionError):
            document = json.loads(content)
            if document["vault"] > _VERSION:
                raise self._error("was written by a newer version of mlconnector_sdk: install that one")
            entries = document["entries"]
            if all(isinstance(sealed, str) for sealed in entries.values()):
                return dict(entries)
        raise self._error("is no vault, or a damaged one: name another file, or restore a backup")

    def _lock(self, path: Path) -> int:
        """The handle of the lock file, which is held."""
        try:
            handle = os.open(path.with_name(f"{path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
            try:
                _hand_over(handle, path)
                lock(handle)
            except BaseException:
                os.close(handle)
                raise
        except FileNotFoundError:
            raise self._error("lies in a directory that does not exist: create it") from None
        except OSError as error:
            raise self._error(f"cannot be locked ({error.strerror}): check its directory's rights and disk") from error
        return handle

    def _write(self, path: Path, entries: dict[str, str]) -> None:
        content = json.dumps({"vault": _VERSION, "entries": entries}, indent=1, sort_keys=True)
        fresh = path.with_name(f"{path.name}.new")
        try:
            # One may be left of a writer that died.
            fresh.unlink(missing_ok=True)
            handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY, 0o600)
            with os.fdopen(handle, "wb") as file:
                _hand_over(handle, path)
                file.write(content.encode())
                file.flush()
                os.fsync(handle)
            fresh.replace(path)
        except OSError as error:
            with suppress(OSError):
                fresh.unlink(missing_ok=True)
            raise self._error(f"cannot be written ({error.strerror}): check disk, directory and rights") from error
        _settle(path.parent)

    def _error(self, what: str) -> VaultError:
        return VaultError(f"the vault {self.path} {what}", reason="vault_file")


def _hand_over(handle: int, path: Path) -> None:
    """What an administrator makes belongs to the vault's owner, who could not read it otherwise."""
    if os.name == "posix" and os.geteuid() == 0 and path.exists():
        owner = path.stat()
        os.fchown(handle, owner.st_uid, owner.st_gid)


def _settle(folder: Path) -> None:
    """Make a new name durable, on file systems that know of that."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            with suppress(OSError):
                os.fsync(handle)
        finally:
            os.close(handle)
