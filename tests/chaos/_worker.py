"""The process that is killed: it calls one pipeline as a user would build it, and tells of every commit.

It imports everything once, then forks for each job that it reads, a line each: a process of its own, in a few
milliseconds, which dies alone. Each one talks to the harness over a socket of its own.

What a job may ask for besides the call: `store`, one of `STORES`; `patience`, seconds to wait for a lock of others;
`lease`, seconds for which a lease is given, by a clock that goes.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import event

from mlconnector_sdk import MailchimpSink, Store, SyncEngine, SyncPolicy, parse_webhook
from mlconnector_sdk.auth import CookieLogin
from mlconnector_sdk.errors import MLConnectorError
from mlconnector_sdk.mapping import clean_email, clean_phone
from mlconnector_sdk.models import Checkpoint, Lease, WebhookEvent
from mlconnector_sdk.protocols import Source
from mlconnector_sdk.retry import RetryPolicy
from mlconnector_sdk.sources.acumatica import Acumatica
from mlconnector_sdk.sources.syspro import ContactView, Syspro, SysproOData
from mlconnector_sdk.state import SQLStateStore, _database
from mlconnector_sdk.sync import _lease, _run
from mlconnector_sdk.testing import FakeClock
from tests.chaos import _rights

NAME = "acme"


class GoingClock(FakeClock):
    """A clock that is set once, and goes as real time does."""

    def __init__(self, start: datetime) -> None:
        super().__init__(start)
        self._began = time.monotonic()

    def now(self) -> datetime:
        return super().now() + timedelta(seconds=time.monotonic() - self._began)

    def __call__(self) -> datetime:
        return self.now()

    def monotonic(self) -> float:
        return time.monotonic()


class Line:
    """The socket to the harness: JSON, a line each way."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._socket = socket.create_connection(address)
        self._file = self._socket.makefile("rw", encoding="utf-8")

    def tell(self, **news: Any) -> None:
        self._file.write(json.dumps(news) + "\n")
        self._file.flush()

    def ask(self, **news: Any) -> dict[str, Any]:
        """Tell, and do nothing until the harness answers."""
        self.tell(**news)
        return json.loads(self._file.readline() or "{}")


class TellingStore(SQLStateStore):
    """Stops before each commit, between its last statement and the database's own commit, and after it."""

    def __init__(self, url: str, prefix: str, line: Line, clock: FakeClock) -> None:
        super().__init__(url, table_prefix=prefix)
        self._line, self._clock = line, clock
        self._number, self._committing = 0, False
        event.listen(self._engine, "commit", self._between)

    def commit(self, checkpoint: Checkpoint, lease: Lease) -> None:
        self._number += 1
        self._stop_at("before")
        self._committing = True
        try:
            super().commit(checkpoint, lease)
        finally:
            self._committing = False
        self._stop_at("after")

    def _between(self, _connection: object) -> None:
        if self._committing:
            self._stop_at("inside")

    def _stop_at(self, place: str) -> None:
        answer = self._line.ask(at=[self._number, place])
        if "now" in answer:
            self._clock.advance(seconds=(datetime.fromisoformat(answer["now"]) - self._clock()).total_seconds())


class ForgetfulStore(TellingStore):
    """A store that breaks its promise: the mark is kept, what it stands for is not. It shows that the judge sees it."""

    def commit(self, checkpoint: Checkpoint, lease: Lease) -> None:
        if checkpoint.links:
            self._number += 1
            self._stop_at("before")
            self._stop_at("after")
        else:
            super().commit(checkpoint, lease)


class FullDisk(TellingStore):
    """A disk that has no page left once the first commits are through."""

    def commit(self, checkpoint: Checkpoint, lease: Lease) -> None:
        if self._number == 1:
            with self._engine.connect() as connection:
                pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
            # The limit is a connection's own: it is put on each one that is opened or taken from the pool from now on.
            event.listen(self._engine, "checkout", lambda raw, *_: raw.execute(f"PRAGMA max_page_count={pages}"))
        super().commit(checkpoint, lease)


class CutShort(TellingStore):
    """A disk that takes a part of what is written, and no more: in the midst of the third commit, and from then on."""

    def commit(self, checkpoint: Checkpoint, lease: Lease) -> None:
        if self._number == 2:
            log = Path(f"{self._engine.url.database}-wal").stat().st_size
            resource.setrlimit(resource.RLIMIT_FSIZE, (log + 5000, resource.RLIM_INFINITY))
        super().commit(checkpoint, lease)


class Plain(TellingStore):
    """A store whose process may do what the rights of files say, and no more, even if its user is root."""

    def __init__(self, url: str, prefix: str, line: Line, clock: FakeClock) -> None:
        _rights.obey_modes()
        super().__init__(url, prefix, line, clock)


STORES: dict[str, type[TellingStore]] = {
    "telling": TellingStore,
    "forgetful": ForgetfulStore,
    "full": FullDisk,
    "cut short": CutShort,
    "plain": Plain,
}


def _sweep(engine: SyncEngine, days: int) -> Any:
    return engine.sweep(dormant_after=timedelta(days=days), allow_mass_leave=True)


def _reconcile(engine: SyncEngine) -> Any:
    return engine.reconcile(repair=True, allow_mass_leave=True)


def _handle(engine: SyncEngine, deliveries: list[list[Any]], secret: str, now: str) -> Any:
    events: list[WebhookEvent] = []
    for headers, body in deliveries:
        events += parse_webhook(headers, body.encode(), secret=secret, now=datetime.fromisoformat(now))
    return engine.handle(events, wait=0)


def _erase(engine: SyncEngine, email: str) -> None:
    engine.erase(email, reason="request 4711", wait=0)


CALLS: dict[str, Callable[..., Any]] = {
    "run": SyncEngine.run,
    "replay": SyncEngine.replay,
    "sweep": _sweep,
    "reconcile": _reconcile,
    "handle": _handle,
    "erase": _erase,
}
"""What a job may call."""


def source_of(job: dict[str, Any]) -> Source:
    """The ERP's source, with pages as small as the story is short."""
    retry = RetryPolicy.immediate()
    if job["system"] == "acumatica":
        login = CookieLogin(username="sync", password="correct horse", tenant="Acme")
        return Acumatica(job["url"], auth=login, version=job["version"], page_size=4, retry=retry)
    api = SysproOData(job["url"], username="SYNC", password="odata secret")
    statuses = {"SalesAllowed": {"N": "inactive"}}
    return Syspro(api=api, statuses=statuses, contacts=ContactView(table="Contacts"), page_size=4, retry=retry)


def sink_of(job: dict[str, Any]) -> MailchimpSink:
    """The audience, with settings of the job."""
    settings: dict[str, Any] = job["sink"]
    if "batch_from" in settings:
        settings = {**settings, "batch_polling": RetryPolicy.immediate(attempts=400)}
    return MailchimpSink(
        job["api_key"],
        list_id=job["list_id"],
        store=Store(id="acme", name="Acme", currency_code="USD"),
        base_url=job["mailchimp"],
        retry=RetryPolicy.immediate(),
        **settings,
    )


def carry_out(job: dict[str, Any], line: Line) -> None:
    """One call of the pipeline, and how it ended."""
    now = datetime.fromisoformat(job["now"])
    clock = GoingClock(now) if "lease" in job else FakeClock(now)
    if "lease" in job:
        (_lease.HeldLease.__init__.__kwdefaults__ or {})["duration"] = timedelta(seconds=job["lease"])
    if "patience" in job:
        _database._BUSY_SECONDS = job["patience"]
    state = STORES[job["store"]](job["state"], job["prefix"], line, clock)
    policy = SyncPolicy(reactivated="resubscribe", most_leaving=1, **job["policy"])
    source, sink = source_of(job), sink_of(job)
    with SyncEngine(source, sink, state=state, name=NAME, policy=policy, clock=clock, progress=False) as engine:
        line.ask(owner=_lease.this_owner().rpartition(":")[0])
        try:
            report = CALLS[job["call"]](engine, **job["arguments"])
        except MLConnectorError as error:
            line.tell(ended=type(error).__name__, said=str(error))
            return
    streams = report.streams if report is not None else {}
    errors = [stream.error for stream in streams.values() if stream.error]
    counts = {name: stream.counts for name, stream in streams.items()}
    line.tell(ended="not finished" if errors else "ok", said="; ".join(errors), counts=counts)


def warm_up() -> None:
    """Have done once what each process would do anew: certificates, patterns and drivers that are loaded when needed.

    Nothing is opened that a fork would share.
    """
    with suppress(MLConnectorError):
        clean_email("no address")
    clean_phone("+1 212 555 0100", region="US")
    MailchimpSink("0123456789abcdef0123456789abcdef-us1", list_id="none").close()
    httpx.Client().close()
    for url in ("postgresql+psycopg://127.0.0.1/none", "mysql+pymysql://127.0.0.1/none"):
        with suppress(MLConnectorError):
            SQLStateStore(url).close()
    memory = SQLStateStore("sqlite://")
    memory.mark(NAME, "customers")
    memory.close()


def main() -> None:
    """Fork for each job on standard input, until it ends."""
    port, batch = int(sys.argv[1]), int(sys.argv[2])
    # A story of dozens of records has as many checkpoints as a real one of thousands.
    _run.BATCH_SIZE = batch
    # Nobody asks how a process ended that was killed.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    warm_up()
    for job in sys.stdin:
        if os.fork() == 0:
            line = Line(("127.0.0.1", port))
            line.tell(pid=os.getpid())
            try:
                carry_out(json.loads(job), line)
            except BaseException as error:
                line.tell(ended="crashed", said=repr(error))
                raise
            finally:
                os._exit(0)


if __name__ == "__main__":
    main()
