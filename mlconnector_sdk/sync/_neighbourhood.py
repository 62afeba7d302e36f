"""Who else has an address: the links around a batch of records, kept current while it is decided."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping

from ..models import STREAMS, Link
from ._decision import Decision

__all__ = ["SPEAKS_FOR_NOBODY", "Neighbourhood"]

SPEAKS_FOR_NOBODY = {"gone", "inactive", "on_hold", "opted_out", "erased"}
"""Reasons for which a record has no say in whether its address stays in the audience."""


class Neighbourhood:
    """Which records share which address, kept current while a batch is decided.

    Args:
        links: by address.
        addresses: those of the batch's records, each as often as it occurs.
    """

    def __init__(self, links: Mapping[str, Collection[Link]], addresses: Iterable[str]) -> None:
        self._links = {address: {(link.stream, link.key): link for link in found} for address, found in links.items()}
        self._handed: dict[tuple[str, str], Link] = {}
        self._alone = {address for address, records in Counter(addresses).items() if records == 1} - links.keys()

    def is_alone(self, address: str) -> bool:
        """No link is at this address, and one record of the batch: whatever becomes of it touches no other."""
        return address in self._alone

    def others(self, address: str, stream: str, key: str) -> list[Link]:
        """The other records at this address that could speak for it, customers first, then by key."""
        here = self._links.get(address)
        if not here:
            return []
        found = [
            link
            for identity, link in here.items()
            if identity != (stream, key) and link.state != "dead" and link.reason not in SPEAKS_FOR_NOBODY
        ]
        return sorted(found, key=lambda link: (STREAMS.index(link.stream), link.key))

    def owner(self, address: str, stream: str, key: str) -> Link | None:
        """Another record that speaks for this address already."""
        here = self._links.get(address)
        return next((link for link in self.others(address, stream, key) if link.owner), None) if here else None

    def is_opted_out(self, address: str) -> bool:
        """Some record at this address says: do not mail; that holds for the address, whoever speaks for it."""
        here = self._links.get(address)
        return any(link.reason == "opted_out" for link in here.values()) if here else False

    def handed(self, stream: str, key: str) -> Link | None:
        """The link of a record as another record of this batch left it, when that one gave or took an address."""
        return self._handed.get((stream, key)) if self._handed else None

    def note(self, decision: Decision) -> None:
        """Take over what a decision changes."""
        if decision.before is not None and decision.link is not None:
            self._links.get(decision.before.address, {}).pop((decision.stream, decision.key), None)
        for link in decision.other_links:
            self._handed[link.stream, link.key] = link
            self._place(link)
        if decision.link is not None:
            self._place(decision.link)

    def _place(self, link: Link) -> None:
        if link.address:
            self._links.setdefault(link.address, {})[link.stream, link.key] = link
