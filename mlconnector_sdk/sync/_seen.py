"""Records that are as they were are recognised before anything is done to them.

Most records of most polls have not changed: a full scan meets them all, and an overlap the latest again. To decide
each of them anew takes as long as on the first day. So with its link the state keeps a digest of the record and of all
settings under which it was decided; the same digest means the same decision, which was "nothing to do".

That holds for outcomes that follow from the record, the settings and its own link alone. The state forgets a digest
when the link changes in any other way, or when its address is suppressed or no longer is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import Any

import attrs

from .._json import json_bytes
from .._version import __version__
from ..mapping import MemberMapper
from ..models import Audience, OutcomeKind, Party
from ..policy import SyncPolicy
from ..protocols import StateStore
from ._decision import Decision

__all__ = ["Recognition", "Recognized", "is_lasting", "recognition"]

_BY_THE_RECORD_ALONE = frozenset({"excluded", "inactive", "no_email", "on_hold", "opted_out", "suppliers_ignored"})


@attrs.frozen
class Recognized:
    """What a batch turned out to be.

    Attributes:
        unknown: the records that have to be decided; of several versions of one record the last.
        digests: of those among them that can be recognised the next time, by key.
        known: how the others count, as (outcome, reason).
    """

    unknown: list[Any]
    digests: dict[str, str]
    known: list[tuple[OutcomeKind, str]]


class Recognition:
    """Tells the records of one stream that are as they were from the others.

    Args:
        settings: a digest of all but the record that a decision follows from.
    """

    def __init__(self, state: StateStore, *, pipeline: str, stream: str, settings: bytes) -> None:
        self._state = state
        self._pipeline = pipeline
        self._stream = stream
        # Copied for each record: with its key taken in already, it is ready sooner than a new one.
        self._fresh = blake2b(key=settings, digest_size=12)

    def of(self, records: Sequence[Any], is_busy: Callable[[str], bool]) -> Recognized:
        """Look at a batch.

        Args:
            is_busy: whether the record with this key is being written this very moment, so that the state is behind.
        """
        latest = {record.key: record for record in records}
        digests = {key: digest for key, record in latest.items() if (digest := self._digest(record))}
        seen = self._state.seen(self._pipeline, self._stream, list(digests))
        known: list[tuple[OutcomeKind, str]] = []
        for key, before in seen.items():
            if before.digest == digests[key] and not is_busy(key):
                del latest[key], digests[key]
                known.append(("skipped", before.reason) if before.reason else ("unchanged", ""))
        return Recognized(list(latest.values()), digests, known)

    def _digest(self, record: Any) -> str:
        if not isinstance(record, Party):
            return ""
        try:
            text = json_bytes(record)
        except (TypeError, ValueError):
            # A raw row with a value that is no JSON: it is decided each time.
            return ""
        digest = self._fresh.copy()
        digest.update(text)
        return digest.hexdigest()


def is_lasting(decision: Decision) -> bool:
    """The same record under the same settings would lead to nothing new, for as long as its link stays as it is."""
    link = decision.link or decision.before
    if link is None:
        return False
    if decision.outcome == "skipped":
        return link.state == "skipped" and link.reason == decision.reason in _BY_THE_RECORD_ALONE
    is_right = link.state == "synced" and link.owner and link.fingerprint == decision.fingerprint != ""
    return is_right and decision.outcome in {"created", "updated", "unchanged"}


def recognition(
    stream: str, mapper: MemberMapper, policy: SyncPolicy, audience: Audience, state: StateStore, pipeline: str
) -> Recognition | None:
    """What recognises the records of a stream of people; `None` when functions of the caller's have a say in them."""
    if mapper.settings is None:
        return None
    rest = json_bytes([__version__, attrs.asdict(policy), audience.list_id, audience.double_optin])
    settings = blake2b(mapper.settings + rest, digest_size=32).digest()
    return Recognition(state, pipeline=pipeline, stream=stream, settings=settings)
