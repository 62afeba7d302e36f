"""Values as flat rows and back: one encoding for every store, so that all of them keep and refuse the same things.

Times are whole microseconds since 1970 UTC: they compare, sort and round-trip alike on every database, while native
time columns drop fractions on some and zones on others. What has parts (payloads, details) is JSON text.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, TypeAlias

import attrs

from ..cursors import HighWaterMark, decode_mark, encode_mark
from ..errors import StateError
from ..models import AuditEntry, Checkpoint, DeadLetter, Link, Note, PermissionState, Seen, Suppression, hidden_address
from ._payloads import dump_payload, load_payload

__all__ = [
    "ADDRESS_LENGTH",
    "AUDIT_COLUMNS",
    "DEAD_LETTER_COLUMNS",
    "KEY_LENGTH",
    "LINK_COLUMNS",
    "MARK_COLUMNS",
    "NOTE_COLUMNS",
    "PARTY_STREAMS",
    "PIPELINE_LENGTH",
    "SEEN_COLUMNS",
    "STREAM_LENGTH",
    "SUPPRESSION_COLUMNS",
    "WRITTEN_LINK_COLUMNS",
    "CheckpointRows",
    "Row",
    "Seal",
    "checkpoint_rows",
    "from_microseconds",
    "is_keepable",
    "load_audit_entry",
    "load_dead_letter",
    "load_link",
    "load_mark",
    "load_note",
    "load_seen",
    "load_suppressions",
    "microseconds",
    "require_lease_terms",
    "require_prune_terms",
    "require_secret_name",
    "suppression_places",
]

Row: TypeAlias = tuple[Any, ...]

Seal: TypeAlias = Callable[[tuple[str, ...], str], str]
"""What makes of a payload's text what is kept at this place, or the reverse."""

# The narrowest index among the databases (MySQL, 3072 bytes) holds pipeline + stream + key and pipeline + address +
# stream at four bytes a character.
PIPELINE_LENGTH = 100
STREAM_LENGTH = 50
KEY_LENGTH = 255
ADDRESS_LENGTH = 320

PARTY_STREAMS = ("contacts", "customers", "suppliers")
"""The streams whose links `links_to` returns, in its order."""

MARK_COLUMNS = ("pipeline", "stream", "kind", "value", "full_scan_at")
LINK_COLUMNS = (
    *("pipeline", "stream", "key", "target", "address", "fingerprint", "owner", "state", "reason", "parent"),
    *("taken_off", "standing", "moved_from", "contact_id", "details", "permissions", "synced_at"),
)
WRITTEN_LINK_COLUMNS = (*LINK_COLUMNS, "seen")
SEEN_COLUMNS = ("pipeline", "key", "seen", "reason")
DEAD_LETTER_COLUMNS = (
    *("pipeline", "stream", "key", "reason", "message", "payload", "fingerprint", "attempts", "first_at", "last_at"),
    *("job_id", "first_job_id", "status_code", "request_id"),
)
SUPPRESSION_COLUMNS = ("pipeline", "address", "reason", "origin", "at")
NOTE_COLUMNS = ("pipeline", "kind", "key", "payload", "at")
AUDIT_COLUMNS = (
    *("pipeline", "at", "job_id", "stream", "key", "outcome", "reason", "message", "attempts", "request_id"),
    "replayed",
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_FIRST = (datetime.min.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND
_LAST = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND


def microseconds(at: datetime) -> int:
    """An aware time as whole microseconds since 1970 UTC. Raises `ValueError` for a naive one.

    So it does at the ends of the calendar, where a time of another zone may lie in a year that UTC does not have.
    """
    if at.tzinfo is None:
        raise ValueError("a time without time zone cannot be stored")
    count = (at - _EPOCH) // _MICROSECOND
    if not _FIRST <= count <= _LAST:
        raise ValueError("a time before the year 1 or after the year 9999 in UTC cannot be stored")
    return count


@lru_cache(maxsize=16)
def from_microseconds(count: int) -> datetime:
    """The reverse of `microseconds`, in UTC."""
    return _EPOCH + timedelta(microseconds=count)


def _microseconds_or_none(at: datetime | None) -> int | None:
    return None if at is None else microseconds(at)


def _clock_of_rows() -> Callable[[datetime], int]:
    """`microseconds`, for rows of which most have the very moment of the one before."""
    last: datetime | None = None
    count = 0

    def count_of(at: datetime) -> int:
        nonlocal last, count
        # Equal is not enough: two times of one zone are equal though the clocks went back between them.
        if at is not last:
            count = microseconds(at)
            last = at
        return count

    return count_of


def is_keepable(text: str) -> bool:
    """Whether every database can keep the characters of `text`: no NUL, no half of a surrogate pair."""
    if "\0" in text:
        return False
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _are_simple(stream: str, texts: Iterable[str]) -> bool:
    """Whether the texts of one row, its stream among them, can be kept by every database for sure.

    Looked at together, because there are many rows; where it is not so, each may still be as it should.
    """
    joined = "".join(texts)
    return joined.isascii() and "\0" not in joined and len(joined) <= KEY_LENGTH and len(stream) <= STREAM_LENGTH


def _exact(text: str, limit: int, what: str) -> str:
    """`text` if every database can keep and compare it character by character."""
    if len(text) > limit:
        raise ValueError(f"a {what} of {len(text)} characters is longer than {limit}")
    return _whole(text, what)


def _whole(text: str, what: str) -> str:
    """`text` if every database can keep it, however long it is."""
    if not text.isascii():
        text.encode()
    if "\0" in text:
        raise ValueError(f"a {what} with a NUL character cannot be stored")
    return text


def require_secret_name(name: str) -> None:
    """Raises `StateError` for the name of a secret that not every database can keep."""
    if not is_keepable(name) or len(name) > KEY_LENGTH:
        raise StateError(
            f"the name of a secret has up to {KEY_LENGTH} characters of valid Unicode, none of them NUL: rename it"
        )


def require_lease_terms(pipeline: str, owner: str, now: datetime) -> None:
    """Raises `StateError` for names that not every database can keep, and for a time without zone."""
    try:
        _exact(pipeline, PIPELINE_LENGTH, "pipeline name")
        _exact(owner, KEY_LENGTH, "lease owner")
        microseconds(now)
    except ValueError as error:
        raise StateError(str(error)) from error


def require_prune_terms(before: datetime) -> None:
    """Raises `StateError` for a time without zone."""
    if before.tzinfo is None:
        raise StateError("prune: before which moment? A time needs its zone")


def _readable(text: str) -> str:
    """Free text from the far side without the characters that some database refuses; it is read by people only."""
    if text.isascii() and "\0" not in text:
        return text
    return text.encode("utf-8", "replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")


def _readable_or_none(text: str | None) -> str | None:
    return None if text is None else _readable(text)


def _in_the_clear(_place: tuple[str, ...], text: str) -> str:
    return text


@attrs.frozen(kw_only=True)
class CheckpointRows:
    """A checkpoint as rows; of two values for one key the later counts."""

    mark: Row | None
    links: dict[tuple[str, str], Row]
    dead_letters: dict[tuple[str, str], Row]
    settled: list[tuple[str, str]]
    suppressions: dict[str, Row]
    lifted: list[str]
    notes: dict[tuple[str, str], Row]
    dropped: list[tuple[str, str]]
    seen: dict[tuple[str, str], str]
    scrubbed: list[tuple[str, str]]
    audit: list[Row]


def checkpoint_rows(checkpoint: Checkpoint, seal: Seal = _in_the_clear) -> CheckpointRows:
    """Every row of a checkpoint, before anything is written.

    Raises:
        VaultError: a payload cannot be sealed.
        StateError: a value cannot be stored: a key too long, a time without zone, a payload that is not plain.
    """
    pipeline, mark, digests = checkpoint.pipeline, checkpoint.mark, checkpoint.seen
    count = _clock_of_rows()
    try:
        return CheckpointRows(
            mark=None if mark is None else _mark_row(pipeline, mark),
            links={
                (place := (link.stream, link.key)): _link_row(pipeline, link, digests.get(place, ""), count)
                for link in checkpoint.links
            },
            seen={place: digest for place, digest in digests.items() if digest},
            dead_letters={(d.stream, d.key): _dead_letter_row(pipeline, d, seal) for d in checkpoint.dead_letters},
            settled=list(checkpoint.settled),
            suppressions={s.address: _suppression_row(pipeline, s) for s in checkpoint.suppressions},
            lifted=list(checkpoint.lifted),
            notes={(note.kind, note.key): _note_row(pipeline, note, seal) for note in checkpoint.notes},
            dropped=list(checkpoint.dropped),
            scrubbed=list(checkpoint.scrubbed),
            audit=[_audit_row(pipeline, entry, count) for entry in checkpoint.audit],
        )
    except UnicodeEncodeError as error:
        # The error object holds the whole text, which may be an address.
        raise StateError("the checkpoint holds text that is not valid Unicode; nothing was committed") from error
    except (TypeError, ValueError) as error:
        raise StateError(f"the checkpoint cannot be stored: {error}; nothing was committed") from error


def _mark_row(pipeline: str, mark: HighWaterMark) -> Row:
    stream = _exact(mark.stream, STREAM_LENGTH, "stream name")
    kind, value = encode_mark(mark.value)
    return (pipeline, stream, kind, _whole(value, "mark"), _microseconds_or_none(mark.full_scan_at))


def load_mark(row: Sequence[Any]) -> HighWaterMark:
    """A mark from its row without pipeline."""
    stream, kind, value, full_scan_at = row
    scanned = None if full_scan_at is None else from_microseconds(full_scan_at)
    return HighWaterMark(stream=stream, value=decode_mark(kind, value), full_scan_at=scanned)


# Many members have the same tags and the same permissions.
_dump_parts = lru_cache(maxsize=64)(json.dumps)


@lru_cache(maxsize=64)
def _load_details(text: str) -> tuple[str, ...]:
    return tuple(json.loads(text))


@lru_cache(maxsize=64)
def _load_permissions(text: str) -> tuple[tuple[str, PermissionState], ...]:
    return tuple((name, left) for name, left in json.loads(text))


def _link_row(pipeline: str, link: Link, seen: str, count: Callable[[datetime], int]) -> Row:
    stream, key, target, address, moved_from = link.stream, link.key, link.target, link.address, link.moved_from
    fingerprint, state, reason, parent = link.fingerprint, link.state, link.reason, link.parent
    taken_off, standing, contact_id = link.taken_off, link.standing, link.contact_id
    texts = (stream, key, target, address, fingerprint, state, parent, taken_off, standing, moved_from, contact_id)
    if not _are_simple(stream, texts):
        _whole("".join(texts), "link")
        _exact(stream, STREAM_LENGTH, "stream name")
        _exact(key, KEY_LENGTH, "record key")
        _exact(address, ADDRESS_LENGTH, "address")
        _exact(moved_from, ADDRESS_LENGTH, "address")
    return (
        pipeline,
        stream,
        key,
        target,
        address,
        fingerprint,
        1 if link.owner else 0,
        state,
        _readable(reason) if reason else "",
        parent,
        taken_off,
        standing,
        moved_from,
        contact_id,
        _dump_parts(link.details) if link.details else "",
        _dump_parts(link.permissions) if link.permissions else "",
        None if link.synced_at is None else count(link.synced_at),
        seen,
    )


def load_link(row: Sequence[Any]) -> Link:
    """A link from its row without pipeline."""
    (
        stream,
        key,
        target,
        address,
        fingerprint,
        owner,
        state,
        reason,
        parent,
        taken_off,
        standing,
        moved_from,
        contact_id,
        details,
        permissions,
        at,
    ) = row
    return Link(
        stream=stream,
        key=key,
        target=target,
        address=address,
        fingerprint=fingerprint,
        owner=owner == 1,
        state=state,
        reason=reason,
        parent=parent,
        taken_off=taken_off,
        standing=standing,
        moved_from=moved_from,
        contact_id=contact_id,
        details=_load_details(details) if details else (),
        permissions=_load_permissions(permissions) if permissions else (),
        synced_at=None if at is None else from_microseconds(at),
    )


def load_seen(row: Sequence[Any]) -> Seen:
    """What was seen of a record, from its row without pipeline and key."""
    digest, reason = row
    return Seen(digest=digest, reason=reason)


def _dead_letter_row(pipeline: str, letter: DeadLetter, seal: Seal) -> Row:
    stream, key = _exact(letter.stream, STREAM_LENGTH, "stream name"), _exact(letter.key, KEY_LENGTH, "record key")
    return (
        pipeline,
        stream,
        key,
        _readable(letter.reason),
        _readable(letter.message),
        seal(("dead letter", pipeline, stream, key), dump_payload(letter.payload)),
        _whole(letter.fingerprint, "fingerprint"),
        letter.attempts,
        microseconds(letter.first_at),
        microseconds(letter.last_at),
        _whole(letter.job_id, "job id"),
        _whole(letter.first_job_id, "job id"),
        letter.status_code,
        _readable_or_none(letter.request_id),
    )


def load_dead_letter(row: Sequence[Any], pipeline: str = "", unseal: Seal = _in_the_clear) -> DeadLetter:
    """A dead letter from its row without pipeline. Raises `VaultError` when its payload cannot be opened."""
    stream, key, reason, message, payload, fingerprint, attempts, first_at, last_at, *rest = row
    job_id, first_job_id, status, request_id = rest
    return DeadLetter(
        stream=stream,
        key=key,
        reason=reason,
        message=message,
        payload=load_payload(unseal(("dead letter", pipeline, stream, key), payload)),
        fingerprint=fingerprint,
        attempts=attempts,
        first_at=from_microseconds(first_at),
        last_at=from_microseconds(last_at),
        first_job_id=first_job_id,
        job_id=job_id,
        status_code=status,
        request_id=request_id,
    )


def _suppression_row(pipeline: str, suppression: Suppression) -> Row:
    address = _exact(suppression.address, ADDRESS_LENGTH, "address")
    return (
        pipeline,
        address,
        _readable(suppression.reason),
        _readable(suppression.origin),
        microseconds(suppression.at),
    )


def suppression_places(addresses: Iterable[str]) -> dict[str, str]:
    """Where the suppression of each address may be kept: under itself, or hidden."""
    places = {address: address for address in addresses}
    places.update((hidden_address(address), address) for address in list(places))
    return places


def load_suppressions(rows: Iterable[Sequence[Any]], places: Mapping[str, str]) -> dict[str, Suppression]:
    """Suppressions by the address that was asked for; a hidden one outweighs the other."""
    found: dict[str, Suppression] = {}
    for row in rows:
        address = places[row[0]]
        if address not in found or row[0] != address:
            found[address] = _load_suppression(row)
    return found


def _load_suppression(row: Sequence[Any]) -> Suppression:
    address, reason, origin, at = row
    return Suppression(address=address, reason=reason, origin=origin, at=from_microseconds(at))


def _note_row(pipeline: str, note: Note, seal: Seal) -> Row:
    kind, key = _exact(note.kind, STREAM_LENGTH, "kind of note"), _exact(note.key, KEY_LENGTH, "key of a note")
    payload = seal(("note", pipeline, kind, key), dump_payload(note.payload))
    return (pipeline, kind, key, payload, microseconds(note.at))


def load_note(row: Sequence[Any], pipeline: str = "", unseal: Seal = _in_the_clear) -> Note:
    """A note from its row without pipeline. Raises `VaultError` when its payload cannot be opened."""
    kind, key, payload, at = row
    found = load_payload(unseal(("note", pipeline, kind, key), payload))
    return Note(kind=kind, key=key, payload=found, at=from_microseconds(at))


def _audit_row(pipeline: str, entry: AuditEntry, count: Callable[[datetime], int]) -> Row:
    job_id, stream, key = entry.job_id, entry.stream, entry.key
    reason, message, request_id = entry.reason, entry.message, entry.request_id
    if not _are_simple(stream, (job_id, stream, key, reason, message, request_id or "")):
        _exact(job_id, KEY_LENGTH, "job id")
        _exact(stream, STREAM_LENGTH, "stream name")
        _exact(key, KEY_LENGTH, "record key")
        reason, message, request_id = _readable(reason), _readable(message), _readable_or_none(request_id)
    return (
        pipeline,
        count(entry.at),
        job_id,
        stream,
        key,
        entry.outcome,
        reason,
        message,
        entry.attempts,
        request_id,
        entry.replayed,
    )


def load_audit_entry(row: Sequence[Any]) -> AuditEntry:
    """An audit entry from its row without pipeline."""
    at, job_id, stream, key, outcome, reason, message, attempts, request_id, replayed = row
    return AuditEntry(
        at=from_microseconds(at),
        job_id=job_id,
        stream=stream,
        key=key,
        outcome=outcome,
        reason=reason,
        message=message,
        attempts=attempts,
        request_id=request_id,
        replayed=replayed,
    )
