"""A world whose pipeline runs in processes that die, and what two such worlds have in common afterwards."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from types import TracebackType
from typing import Any, Self

import attrs

from mlconnector_sdk.state import SQLStateStore
from mlconnector_sdk.testing import Reply, Request
from tests.chaos._processes import Nursery, Worker
from tests.chaos._story import Cast
from tests.scenarios._worlds import START, World

NAME = "acme"
STREAMS = ("customers", "contacts", "suppliers", "orders", "products", "store_customers")
BETWEEN_CHAPTERS = timedelta(hours=20)
AFTER_A_KILL = timedelta(minutes=3)
"""Longer than a lease lasts that nobody gave back."""

Place = tuple[int, str]


@attrs.define
class Tally:
    """What was done to the pipeline."""

    runs: int = 0
    kills: int = 0
    faults: int = 0
    lost: int = 0
    doubled: int = 0

    def add(self, other: Tally) -> None:
        for name in attrs.fields_dict(Tally):
            setattr(self, name, getattr(self, name) + getattr(other, name))


class Ordeal:
    """An ERP, an audience and a state, and processes that run the pipeline between them."""

    def __init__(self, system: str, nursery: Nursery, state: str, *, store: str = "telling") -> None:
        # Whoever is killed does not log off; the ERP has room for those whose session has not expired yet.
        self.world = World(system, **({"seats": 1000} if system == "acumatica" else {}))
        self.cast, self.tally = Cast(), Tally()
        self._system, self._nursery, self._state, self._store = system, nursery, state, store
        self._worker: Worker | None = None
        self._answers = 0
        self._doomed_answer: int | None = None
        self.chapter = 0

    def __enter__(self) -> Self:
        self.world.__enter__()
        for fake in (self.world.erp.fake, self.world.mailchimp):
            fake.answer = self._killing(fake.answer)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.world.__exit__()

    def _killing(self, answer: Callable[[Request], tuple[Reply | None, int | None]]) -> Any:
        """What was asked for is done, then the process dies before it hears of it."""

        def answer_and_kill(request: Request) -> tuple[Reply | None, int | None]:
            given = answer(request)
            if request.method != "GET" and self._worker is not None:
                self._answers += 1
                if self._answers == self._doomed_answer:
                    self._worker.kill()
            return given

        return answer_and_kill

    def open_chapter(self) -> None:
        """Time passes; chapters begin at the same hour in every world."""
        self.chapter += 1
        wait = START + BETWEEN_CHAPTERS * self.chapter - self.world.clock()
        assert wait > timedelta(0), "a chapter took longer than the time between two"
        self.world.clock.advance(seconds=wait.total_seconds())

    def job(self, *, full: bool) -> dict[str, Any]:
        erp, mailchimp = self.world.erp.fake, self.world.mailchimp
        acumatica = self._system == "acumatica"
        return {
            "system": self._system,
            "url": erp.base_url if acumatica else erp.odata_root,
            "version": erp.version if acumatica else "",
            "mailchimp": mailchimp.base_url,
            "api_key": mailchimp.api_key,
            "list_id": mailchimp.list_id,
            "state": self._state,
            "store": self._store,
            "now": self.world.clock().isoformat(),
            "full": full,
        }

    def begin(self, *, full: bool = False) -> Worker:
        """A process that is about to run the pipeline."""
        self.tally.runs += 1
        self._answers, self._doomed_answer = 0, None
        self._worker = self._nursery.begin(self.job(full=full))
        return self._worker

    def close(self, worker: Worker) -> None:
        """Have done with a process, once what it had asked for is answered."""
        self._worker = None
        self._nursery.end(worker)
        if worker.killed:
            self.tally.kills += 1
            self.world.clock.advance(seconds=AFTER_A_KILL.total_seconds())
        while self.world.erp.fake.in_flight or self.world.mailchimp.in_flight:
            time.sleep(0.001)

    def run(
        self,
        *,
        full: bool = False,
        until: Place | None = None,
        answer: int | None = None,
        timer: Callable[[Worker], None] | None = None,
    ) -> dict[str, Any]:
        """A run that dies at a place of a commit, after a write was carried out, or when a timer says so.

        Returns how it ended; nothing when it was killed.
        """
        worker = self.begin(full=full)
        self._doomed_answer = answer
        try:
            for news in worker.news():
                if "ended" in news:
                    return news
                if until is not None and tuple(news.get("at", ())) == until:
                    worker.kill()
                elif "owner" in news and timer is not None:
                    timer(worker)
                worker.go()
            return {}
        finally:
            self.close(worker)

    def undisturbed(self, *, full: bool = False) -> None:
        """A run that ends well."""
        ended = self.run(full=full)
        assert ended.get("ended") == "ok", ended

    # -- what can be compared ----------------------------------------------------------------------------------

    def facts(self) -> dict[tuple[str, ...], Any]:
        """Audience, store, links, suppressions and dead letters, by name."""
        seen = self.world.mailchimp.snapshot()
        found: dict[tuple[str, ...], Any] = {("member", name): facts for name, facts in seen["members"].items()}
        found |= {("merge field", name): facts for name, facts in seen["merge_fields"].items()}
        for store, contents in seen["stores"].items():
            found["store", store] = contents["settings"]
            for kind in ("customers", "products", "orders"):
                found |= {("store", store, kind, name): facts for name, facts in contents[kind].items()}
        state = SQLStateStore(self._state)
        try:
            for stream in STREAMS:
                for link in state.all_links(NAME, stream):
                    found["link", stream, link.key] = attrs.evolve(link, synced_at=None)
            for held in state.suppressions(NAME, list(seen["members"])).values():
                found["suppression", held.address] = (held.reason, held.origin)
            for letter in state.dead_letters(NAME):
                found["dead letter", letter.stream, letter.key] = (letter.reason, letter.attempts)
        finally:
            state.close()
        return found

    def books(self) -> Counter[tuple[str, str, str]]:
        """How often the audit says of each record that it was written, left out or set aside."""
        state = SQLStateStore(self._state)
        try:
            # A write whose commit was lost is repeated: what was created meets itself and is updated.
            return Counter(
                (entry.stream, entry.key, "written" if entry.outcome in {"created", "updated"} else entry.outcome)
                for entry in state.audit(NAME)
            )
        finally:
            state.close()

    def unaudited(self) -> list[tuple[str, str]]:
        """Records that stand in the audience or the store, of which the audit does not know that they were written."""
        written = {(stream, key) for stream, key, outcome in self.books() if outcome == "written"}
        people = {key for stream, key in written if stream != "orders"}
        orders = {link.target: link.key for link in self._order_links()}
        members = self.world.mailchimp.members
        keys = {str(member.merge_fields.get("ERPID", "")) for member in members.values()} - {"", *people}
        missing = [("people", key) for key in sorted(keys)]
        for order in sorted(self.world.mailchimp.orders):
            if ("orders", orders.get(order, "")) not in written:
                missing.append(("orders", order))
        return missing

    def _order_links(self) -> list[Any]:
        state = SQLStateStore(self._state)
        try:
            return list(state.all_links(NAME, "orders"))
        finally:
            state.close()


def differences(
    ours: dict[tuple[str, ...], Any] | Counter[Any], theirs: dict[tuple[str, ...], Any] | Counter[Any]
) -> tuple[list[str], list[str]]:
    """What the first lacks or has otherwise than the second, and what it has too much."""
    lost = [
        f"{key}: {ours.get(key)} instead of {value}" for key, value in theirs.items() if _lacks(ours.get(key), value)
    ]
    extra = [
        f"{key}: {value}, not {theirs.get(key)}" for key, value in ours.items() if _exceeds(value, theirs.get(key))
    ]
    return lost, extra


def _lacks(ours: Any, theirs: Any) -> bool:
    return ours is None or (ours < theirs if isinstance(theirs, int) else ours != theirs)


def _exceeds(ours: Any, theirs: Any) -> bool:
    return theirs is None or (isinstance(ours, int) and ours > theirs)
