"""Records that a full scan no longer found, told by keys that take next to no memory."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator

from ..protocols import StateStore

__all__ = ["SeenKeys", "hash_of", "members_without_record"]

_64_BITS = 2**64 - 1


class SeenKeys:
    """The keys of one full scan in eight bytes each, so that a million of them do not count.

    Two keys with one hash make a deleted record look alive; its member stays until its hash is met alone. The other
    error, a living record that looks deleted, cannot happen.
    """

    def __init__(self) -> None:
        self._hashes = array("Q")
        self._sorted = False

    def add(self, keys: Iterable[str]) -> None:
        """Take note of the keys of a batch."""
        self._hashes.extend(map(hash_of, keys))
        self._sorted = False

    def __contains__(self, key: str) -> bool:
        if not self._sorted:
            self._hashes = array("Q", sorted(self._hashes))
            self._sorted = True
        value = hash_of(key)
        at = bisect_left(self._hashes, value)
        return at < len(self._hashes) and self._hashes[at] == value


def hash_of(key: str) -> int:
    """Sixty-four bits that stand for a key, for as long as this process lives."""
    return hash(key) & _64_BITS


def members_without_record(state: StateStore, pipeline: str, stream: str, seen: SeenKeys) -> Iterator[tuple[str, bool]]:
    """The key of every record of the stream that speaks for a member, and whether it was not seen."""
    return ((key, key not in seen) for key in state.member_keys(pipeline, stream))
