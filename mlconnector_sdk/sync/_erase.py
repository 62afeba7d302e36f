"""Erasing a person: from the audience and the store, and from what this library keeps.

The order makes every step repeatable. First the address is suppressed, as a hash, so that nothing brings the person
back; then Mailchimp deletes; then what is kept loses the address, the records that lead to it last of all. So an
erasure that broke off finds with its repeat whatever it had left.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import attrs

from ..errors import ConfigurationError, MappingError
from ..mapping import clean_email
from ..models import (
    STREAMS,
    AuditEntry,
    Checkpoint,
    DeadLetter,
    Erasure,
    Link,
    Suppression,
    hidden_address,
    member_id,
)
from ._flags import FLAGS
from ._lease import lease_within
from ._leaving import in_chunks
from ._receipts import LAST_WORD, Receipts
from ._run import Parts

__all__ = ["ERASURE", "erase"]

ERASURE = "erasure"
"""Origin of suppressions that only a person's own sign-up in Mailchimp, and never this library, could undo."""

_AT_ONCE = 500
_EMPTIED = "its payload was removed, because it named somebody who was erased; a replay reads the ERP anew"

Place = tuple[str, str]
"""Stream and key of a record."""


def erase(parts: Parts, email: str, *, reason: str, wait: float) -> Erasure:
    """Remove whatever there is about a person; see `SyncEngine.erase`."""
    address = _address_of(email)
    if not reason.strip() or address in reason.lower():
        raise ConfigurationError("erase: give a reason that names no address, such as the number of the request")
    now = parts.clock.now()
    job_id = f"{now:%Y%m%dT%H%M%SZ}-{uuid.uuid4().hex[:6]}"
    with lease_within(wait, parts.state, parts.name, clock=parts.clock) as lease:
        return _Eraser(parts, job_id, reason.strip(), lease.commit).erase(address)


def _address_of(email: str) -> str:
    try:
        return clean_email(email)
    except MappingError:
        # Mailchimp may have members at addresses that would not be loaded today.
        if "@" in email:
            return email.strip().lower()
        raise ConfigurationError("erase: give the person's e-mail address") from None


class _Eraser:
    def __init__(self, parts: Parts, job_id: str, reason: str, commit: Callable[[Checkpoint], None]) -> None:
        self._parts, self._state, self._name = parts, parts.state, parts.name
        self._job_id, self._reason, self._apply = job_id, reason, commit

    def erase(self, address: str) -> Erasure:
        addresses = self._addresses_of(address)
        now = self._parts.clock.now()
        held = (Suppression(address=hidden_address(a), reason="erased", origin=ERASURE, at=now) for a in addresses)
        self._commit(suppressions=tuple(held), lifted=tuple(addresses))
        forgotten = [self._parts.sink.forget(one) for one in addresses]
        people = list(self._people(addresses))
        places = {(link.stream, link.key) for link in people}
        documents = self._scrub_links(self._documents(addresses))
        letters = self._scrub_letters(places, addresses)
        notes = self._drop_notes(addresses)
        self._scrub_links(people)
        self._commit(audit=(self._entry("", ""),))
        return Erasure(
            job_id=self._job_id,
            reason=self._reason,
            members=sum(found.member for found in forgotten),
            store_customers=sum(found.store_customers for found in forgotten),
            orders=sum(found.orders for found in forgotten),
            records=len(people) + documents,
            dead_letters=letters,
            notes=notes,
        )

    # Whose it is

    def _addresses_of(self, address: str) -> list[str]:
        """The address, and those that this library knows the same person under."""
        moved = [(link.address, link.moved_from) for link in self._all(STREAMS[:3]) if link.moved_from]
        addresses = {address, *Receipts(self._state, self._name).trail(address, None)}
        while more := {other for pair in moved if addresses & {*pair} for other in pair} - addresses - {""}:
            addresses |= more
        return sorted(addresses)

    def _people(self, addresses: list[str]) -> Iterator[Link]:
        for links in self._state.links_to(self._name, addresses).values():
            yield from links

    def _documents(self, addresses: list[str]) -> Iterator[Link]:
        """Orders that went to these addresses, and the store's customers behind them."""
        wanted = set(addresses)
        yield from (link for link in self._all(["orders"]) if link.address in wanted)
        customers = [member_id(address) for address in addresses]
        for link in self._state.links(self._name, "store_customers", customers).values():
            if link.target:
                yield link

    def _all(self, streams: Iterable[str]) -> Iterator[Link]:
        for stream in streams:
            yield from self._state.all_links(self._name, stream)

    # What goes

    def _scrub_links(self, links: Iterable[Link]) -> int:
        count = 0
        for some in in_chunks(links, _AT_ONCE):
            places = tuple((link.stream, link.key) for link in some)
            self._commit(
                links=tuple(map(_scrubbed, some)),
                settled=places,
                scrubbed=places,
                audit=tuple(self._entry(*place) for place in places if place[0] in STREAMS),
            )
            count += len(some)
        return count

    def _scrub_letters(self, places: set[Place], addresses: list[str]) -> int:
        """Dead letters of the person go; those of others that name the person lose their payload."""
        named = re.compile("|".join(rf"(?<![\w.+-]){re.escape(a)}(?![\w-])" for a in addresses), re.IGNORECASE)
        count = 0
        for some in in_chunks(self._state.dead_letters(self._name), _AT_ONCE):
            gone = [letter for letter in some if _place_of(letter) in places]
            others = [letter for letter in some if _place_of(letter) not in places and _names(letter, named)]
            flags = [letter for letter in others if letter.stream == FLAGS]
            emptied = [attrs.evolve(d, payload={}, message=_EMPTIED) for d in others if d.stream != FLAGS]
            if gone or others:
                settled = tuple((letter.stream, letter.key) for letter in (*gone, *flags))
                self._commit(settled=settled, dead_letters=tuple(emptied))
            count += len(gone) + len(others)
        return count

    def _drop_notes(self, addresses: list[str]) -> int:
        keys = {hidden_address(address) for address in addresses}
        notes = self._state.notes(self._name, LAST_WORD)
        dropped = tuple((n.kind, n.key) for n in notes if n.key in keys or n.payload.get("to") in addresses)
        self._commit(dropped=dropped)
        return len(dropped)

    def _entry(self, stream: str, key: str) -> AuditEntry:
        now = self._parts.clock.now()
        return AuditEntry(at=now, job_id=self._job_id, stream=stream, key=key, outcome="erased", reason=self._reason)

    def _commit(self, **changes: Any) -> None:
        self._apply(attrs.evolve(Checkpoint(pipeline=self._name, job_id=self._job_id), **changes))


def _scrubbed(link: Link) -> Link:
    """What is left of a link: that the record is known, and that it stays out."""
    return Link(
        stream=link.stream,
        key=link.key,
        parent=link.parent,
        owner=False,
        state="skipped",
        reason="erased",
        synced_at=link.synced_at,
    )


def _place_of(letter: DeadLetter) -> Place:
    """The record a dead letter is about; a flag that waits names it in its payload."""
    if letter.stream == FLAGS:
        return str(letter.payload.get("stream")), str(letter.payload.get("key"))
    return letter.stream, letter.key


def _names(letter: DeadLetter, named: re.Pattern[str]) -> bool:
    text = json.dumps(dict(letter.payload), ensure_ascii=False, default=str)
    return bool(named.search(text) or named.search(letter.message))
