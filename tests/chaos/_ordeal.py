"""A world whose pipeline runs in processes that die, and what two such worlds have in common afterwards."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import attrs
from sqlalchemy import MetaData, create_engine, make_url

from mlconnector_sdk.state import SQLStateStore
from mlconnector_sdk.testing import Reply, Request
from tests.chaos._calls import RUN, Call
from tests.chaos._processes import Nursery, Worker
from tests.chaos._story import Cast
from tests.scenarios._worlds import START, World

NAME = "acme"
STREAMS = ("customers", "contacts", "suppliers", "orders", "products", "store_customers")
NOTES = ("batch", "history", "last_word", "receipt", *(f"taking off {stream}" for stream in STREAMS[:3]))
"""Kinds of notes whose keys are the same in every world, or of which none is left when nothing is under way."""
BETWEEN_CHAPTERS = timedelta(hours=20)
AFTER_A_KILL = timedelta(minutes=3)
"""Longer than a lease lasts that nobody gave back."""

Place = tuple[int, str]
Entry = tuple[str, ...]


@attrs.frozen
class Books:
    """Where a state is kept: a database, and what the names of its tables begin with."""

    url: str
    prefix: str = "mlconnector_"

    @property
    def file(self) -> Path:
        """The file of a state on SQLite."""
        return Path(str(make_url(self.url).database))

    def text(self) -> str:
        """All that the tables hold, in lower case."""
        engine = create_engine(self.url)
        tables = MetaData()
        with engine.connect() as connection:
            tables.reflect(connection, only=lambda name, _: name.startswith(self.prefix))
            rows = [tuple(row) for table in tables.sorted_tables for row in connection.execute(table.select())]
        engine.dispose()
        return repr(rows).lower()

    def drop(self) -> None:
        """Leave nothing of it in its database."""
        engine = create_engine(self.url)
        tables = MetaData()
        with engine.begin() as connection:
            tables.reflect(connection, only=lambda name, _: name.startswith(self.prefix))
            tables.drop_all(connection)
        engine.dispose()

    @contextmanager
    def opened(self) -> Iterator[SQLStateStore]:
        state = SQLStateStore(self.url, table_prefix=self.prefix)
        try:
            yield state
        finally:
            state.close()


@attrs.define
class Tally:
    """What was done to the pipeline."""

    runs: int = 0
    kills: int = 0
    faults: int = 0
    lost: int = 0
    doubled: int = 0
    failed: bool = False

    def add(self, other: Tally) -> None:
        for name in attrs.fields_dict(Tally):
            setattr(self, name, getattr(self, name) + getattr(other, name))


class Ordeal:
    """An ERP, an audience and a state, and processes that run the pipeline between them."""

    def __init__(
        self,
        system: str,
        nursery: Nursery,
        books: Books,
        *,
        policy: dict[str, Any] | None = None,
        sink: dict[str, Any] | None = None,
    ) -> None:
        # Whoever is killed does not log off; the ERP has room for those whose session has not expired yet.
        self.world = World(system, **({"seats": 1000} if system == "acumatica" else {}))
        self.cast, self.tally, self.books = Cast(), Tally(), books
        self._system, self._nursery = system, nursery
        self._policy, self._sink = policy or {}, sink or {}
        self.addresses: set[str] = set()
        """Whose suppressions are looked at, besides those of the members."""
        self.conditions: dict[str, Any] = {"store": "telling"}
        """What the processes that are begun from now on meet; see `_worker`."""
        self._worker: Worker | None = None
        self._answers = 0
        self._doomed_answer: int | None = None
        self._chapter_began = START

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

    def open_chapter(self, after: timedelta = BETWEEN_CHAPTERS) -> None:
        """Time passes; chapters begin at the same hour in every world."""
        self._chapter_began += after
        wait = self._chapter_began - self.world.clock()
        assert wait > timedelta(0), "a chapter took longer than the time between two"
        self.world.clock.advance(seconds=wait.total_seconds())

    def job(self, call: Call, *, behind: timedelta) -> dict[str, Any]:
        """What a process has to know; its clock may be behind."""
        erp, mailchimp = self.world.erp.fake, self.world.mailchimp
        acumatica = self._system == "acumatica"
        return {
            "system": self._system,
            "url": erp.base_url if acumatica else erp.odata_root,
            "version": erp.version if acumatica else "",
            "mailchimp": mailchimp.base_url,
            "api_key": mailchimp.api_key,
            "list_id": mailchimp.list_id,
            "state": self.books.url,
            "prefix": self.books.prefix,
            "now": (self.world.clock() - behind).isoformat(),
            "call": call.name,
            "arguments": call.arguments,
            "policy": self._policy,
            "sink": self._sink,
            **self.conditions,
        }

    def begin(self, call: Call = RUN, *, behind: timedelta = timedelta(0)) -> Worker:
        """A process that is about to do what it was asked."""
        self.tally.runs += 1
        self._answers, self._doomed_answer = 0, None
        self._worker = self._nursery.begin(self.job(call, behind=behind))
        return self._worker

    def close(self, worker: Worker) -> None:
        """Have done with a process, once what it had asked for is answered."""
        self._worker = None
        self._nursery.end(worker)
        if not worker.ended:
            self.tally.kills += 1
            self.world.clock.advance(seconds=AFTER_A_KILL.total_seconds())
        while self.world.erp.fake.in_flight or self.world.mailchimp.in_flight:
            time.sleep(0.001)

    def run(
        self,
        call: Call = RUN,
        *,
        until: Place | None = None,
        answer: int | None = None,
        timer: Callable[[Worker], None] | None = None,
    ) -> dict[str, Any]:
        """A call that dies at a place of a commit, after a write was carried out, or when a timer says so.

        Returns how it ended; nothing when it was killed.
        """
        worker = self.begin(call)
        self._doomed_answer = answer
        try:
            for news in worker.news():
                if "ended" in news:
                    worker.ended = True
                    return news
                if until is not None and tuple(news.get("at", ())) == until:
                    worker.kill()
                elif "owner" in news and timer is not None:
                    timer(worker)
                worker.go()
            return {}
        finally:
            self.close(worker)

    def undisturbed(self, call: Call = RUN) -> None:
        """A call that ends well."""
        ended = self.run(call)
        assert ended.get("ended") == "ok", ended

    # -- what can be compared ----------------------------------------------------------------------------------

    def facts(self, *, attempts: bool) -> dict[tuple[str, ...], Any]:
        """Audience, store, links, suppressions, notes and dead letters, by name; with `attempts` how often tried."""
        seen = self.world.mailchimp.snapshot()
        found: dict[tuple[str, ...], Any] = {("member", name): facts for name, facts in seen["members"].items()}
        found |= {("merge field", name): facts for name, facts in seen["merge_fields"].items()}
        found |= {("forgotten", name): True for name in seen["forgotten"]}
        for store, contents in seen["stores"].items():
            found["store", store] = contents["settings"]
            found["totals", store] = dict(self.world.mailchimp.stores[store].totals)
            for kind in ("customers", "products", "orders"):
                found |= {("store", store, kind, name): facts for name, facts in contents[kind].items()}
        with self.books.opened() as state:
            for stream in STREAMS:
                for link in state.all_links(NAME, stream):
                    found["link", stream, link.key] = attrs.asdict(attrs.evolve(link, synced_at=None))
            for held in state.suppressions(NAME, sorted({*seen["members"], *self.addresses})).values():
                found["suppression", held.address] = (held.reason, held.origin)
            for kind in NOTES:
                found |= {("note", kind, note.key): dict(note.payload) for note in state.notes(NAME, kind)}
            for letter in state.dead_letters(NAME):
                found["dead letter", letter.stream, letter.key] = (letter.reason, letter.attempts if attempts else 0)
        return found

    def accounts(self) -> tuple[Counter[Entry], Counter[Entry]]:
        """How often the audit names each record, and how often it says that one was written or set aside.

        Whether a record left its address by our write or was found gone from there is no difference in the first; a
        write whose commit was lost is repeated, and "created" is "updated" the second time.
        """
        named: Counter[Entry] = Counter()
        done: Counter[Entry] = Counter()
        with self.books.opened() as state:
            for entry in state.audit(NAME):
                outcome = "written" if entry.outcome in {"created", "updated"} else entry.outcome
                named[entry.stream, entry.key] += 1
                if outcome in {"written", "dead"}:
                    done[entry.stream, entry.key, outcome] += 1
        return named, done

    def unaudited(self) -> list[str]:
        """Records that stand in the audience or the store, of which the audit does not know that they were written."""
        _, done = self.accounts()
        written = {(entry[0], entry[1]) for entry in done if entry[2] == "written"}
        people = {key for stream, key in written if stream != "orders"}
        with self.books.opened() as state:
            orders = {link.target for link in state.all_links(NAME, "orders") if ("orders", link.key) in written}
        members = self.world.mailchimp.members.values()
        keys = {str(member.merge_fields.get("ERPID", "")) for member in members} - {"", *people}
        return [*(f"member of {key}" for key in sorted(keys)), *sorted(set(self.world.mailchimp.orders) - orders)]


def compare(
    ours: Ordeal, theirs: Ordeal, *, tried_again: bool = False, told_once: bool = False
) -> tuple[list[str], list[str]]:
    """What the first world lost, and what it has twice or too much, against one that was never disturbed.

    With `tried_again` it is no matter how often a record was tried that fails each time; with `told_once` it is enough
    that the audit names a record at all.
    """
    here, there = (ordeal.facts(attempts=not tried_again) for ordeal in (ours, theirs))
    lost = [f"{name}: {here.get(name)} instead of {facts}" for name, facts in there.items() if here.get(name) != facts]
    doubled = [f"{name}: {facts} is too much" for name, facts in here.items() if name not in there]
    named, done = ours.accounts()
    all_named, all_done = theirs.accounts()
    if tried_again:
        done = Counter({entry: n for entry, n in done.items() if entry[-1] != "dead"})
    if told_once:
        all_named = Counter(set(all_named))
    lost += [f"{entry}: {named[entry]} in the audit, not {n}" for entry, n in all_named.items() if named[entry] < n]
    lost += [f"{record}: written without audit" for record in ours.unaudited()]
    doubled += [f"{entry}: {n} in the audit, not {all_done[entry]}" for entry, n in done.items() if n > all_done[entry]]
    return lost, doubled
