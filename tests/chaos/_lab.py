"""Where proofs are carried out: worlds in pairs, one to be disturbed and one left in peace, and what was found."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import attrs

from tests.chaos._calls import FULL_RUN
from tests.chaos._ordeal import Books, Ordeal, Tally, compare
from tests.chaos._processes import Nursery
from tests.chaos._story import opening


@attrs.define
class Lab:
    """Where proofs are carried out, and what they found.

    Attributes:
        database: URL of a database server for the states; a SQLite file each without one.
        prefix: what the names of their tables begin with there, different for labs that share a server.
    """

    nursery: Nursery
    folder: Path
    database: str = ""
    prefix: str = "chaos"
    tally: Tally = attrs.field(factory=Tally)
    findings: list[str] = attrs.field(factory=list)
    _worlds: int = 0

    @contextmanager
    def ordeal(self, system: str, **options: Any) -> Iterator[Ordeal]:
        """A new world with an empty state."""
        self._worlds += 1
        if self.database:
            books = Books(self.database, f"{self.prefix}{self._worlds}_")
            books.drop()
        else:
            folder = self.folder / f"state{self._worlds}"
            folder.mkdir()
            books = Books(f"sqlite:///{folder / 'state.db'}")
        try:
            with Ordeal(system, self.nursery, books, **options) as ordeal:
                yield ordeal
                self.tally.add(ordeal.tally)
        finally:
            if self.database:
                books.drop()

    @contextmanager
    def pair(self, system: str, **options: Any) -> Iterator[tuple[Ordeal, Ordeal]]:
        """A world to be disturbed and one that never is."""
        with ExitStack() as stack:
            yield (
                stack.enter_context(self.ordeal(system, **options)),
                stack.enter_context(self.ordeal(system, **options)),
            )

    @contextmanager
    def opened_pair(self, system: str, *, loaded: bool = False, **options: Any) -> Iterator[tuple[Ordeal, Ordeal]]:
        """A pair whose ERP holds what the story opens with, and whose audience does if `loaded`."""
        with self.pair(system, **options) as pair:
            for ordeal in pair:
                ordeal.open_chapter()
                opening(ordeal.world, ordeal.cast)
                if loaded:
                    ordeal.undisturbed()
                    ordeal.open_chapter()
            yield pair

    def stay_quiet(self, title: str, ordeal: Ordeal) -> None:
        """A further run over everything, which must find nothing left to write."""
        before = len(ordeal.world.writes)
        ordeal.undisturbed(FULL_RUN)
        written = ordeal.world.writes[before:]
        self.require(not written, f"{title}: a further run over everything wrote {written}")

    def judge(self, title: str, ours: Ordeal, theirs: Ordeal, **leave: bool) -> None:
        """Note where the two differ; `leave` is what `compare` leaves out."""
        lost, doubled = compare(ours, theirs, **leave)
        self.tally.lost += len(lost)
        self.tally.doubled += len(doubled)
        self.findings += [f"{title}: lost {what}" for what in lost]
        self.findings += [f"{title}: doubled {what}" for what in doubled]

    def require(self, fulfilled: bool, what: str) -> None:
        """Note what does not hold."""
        if not fulfilled:
            self.findings.append(what)
