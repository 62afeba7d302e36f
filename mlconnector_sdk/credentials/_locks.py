"""A lock on an open file that other processes of the machine respect, on Windows and elsewhere."""

from __future__ import annotations

import sys

__all__ = ["lock", "unlock"]

if sys.platform == "win32":
    import msvcrt

    def lock(handle: int) -> None:
        """Take the lock; after ten seconds of waiting for it comes an `OSError`."""
        msvcrt.locking(handle, msvcrt.LK_LOCK, 1)

    def unlock(handle: int) -> None:
        """Give it back."""
        msvcrt.locking(handle, msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def lock(handle: int) -> None:
        """Take the lock, waiting for it; it ends with the process as well."""
        fcntl.flock(handle, fcntl.LOCK_EX)

    def unlock(handle: int) -> None:
        """Give it back. Closing is not enough: a process forked meanwhile has the file open too."""
        fcntl.flock(handle, fcntl.LOCK_UN)
