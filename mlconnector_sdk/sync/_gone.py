"""Records that a full scan no longer found, told by keys that take next to no memory."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator

from ..protocols import StateStore

__all__ = ["SeenKeys", "hash_of", "members_without_record"]

_64_BITS = 2**64 - 1
_PARTS = 256


class SeenKeys:
    """The keys of one full scan in eight bytes each, so that a million of them do not count.

    Two keys with one hash make a deleted record look alive; its member stays until its hash is met alone. The other
    error, a living record that looks deleted, cannot happen.
    """

    def __init__(self) -> None:
        # In parts, so that sorting them needs no list of all.
        self._parts = [array("Q") for _ in range(_PARTS)]
        self._sorted = False

    def add(self, keys: Iterable[str]) -> None:
        """Take note of the keys of a batch."""
        for value in map(hash_of, keys):
            self._parts[value % _PARTS].append(value)
        self._sorted = False

    def __contains__(self, key: str) -> bool:
        if not self._sorted:
            self._parts = [array("Q", sorted(part)) for part in self._parts]
            self._sorted = True
        value = hash_of(key)
        part = self._parts[value % _PARTS]
        at = bisect_left(part, value)
        return at < len(part) and part[at] == value


def hash_of(key: str) -> int:
    """Sixty-four bits that stand for a key, for as long as this process lives."""
    return hash(key) & _64_BITS


def members_without_record(state: StateStore, pipeline: str, stream: str, seen: SeenKeys) -> Iterator[tuple[str, bool]]:
    """The key of every record of the stream that speaks for a member, and whether it was not seen."""
    return ((key, key not in seen) for key in state.member_keys(pipeline, stream))
