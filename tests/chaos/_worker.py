"""The process that is killed: it runs one pipeline as a user would build it, and tells of every commit.

It imports everything once, then forks for each job that it reads, a line each: a process of its own, in a few
milliseconds, which dies alone. Each one talks to the harness over a socket of its own.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from datetime import datetime
from typing import Any

from sqlalchemy import event

from mlconnector_sdk import MailchimpSink, Store, SyncEngine, SyncPolicy
from mlconnector_sdk.auth import CookieLogin
from mlconnector_sdk.errors import MLConnectorError
from mlconnector_sdk.models import Checkpoint, Lease
from mlconnector_sdk.protocols import Source
from mlconnector_sdk.retry import RetryPolicy
from mlconnector_sdk.sources.acumatica import Acumatica
from mlconnector_sdk.sources.syspro import ContactView, Syspro, SysproOData
from mlconnector_sdk.state import SQLStateStore
from mlconnector_sdk.sync import _lease, _run
from mlconnector_sdk.testing import FakeClock

NAME = "acme"


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


STORES: dict[str, type[TellingStore]] = {
    "telling": TellingStore,
    "forgetful": ForgetfulStore,
    "full": FullDisk,
}


def source_of(job: dict[str, Any]) -> Source:
    """The ERP's source, with pages as small as the story is short."""
    retry = RetryPolicy.immediate()
    if job["system"] == "acumatica":
        login = CookieLogin(username="sync", password="correct horse", tenant="Acme")
        return Acumatica(job["url"], auth=login, version=job["version"], page_size=4, retry=retry)
    api = SysproOData(job["url"], username="SYNC", password="odata secret")
    statuses = {"SalesAllowed": {"N": "inactive"}}
    return Syspro(api=api, statuses=statuses, contacts=ContactView(table="Contacts"), page_size=4, retry=retry)


def run(job: dict[str, Any], line: Line) -> None:
    """One run of the pipeline, and how it ended."""
    clock = FakeClock(datetime.fromisoformat(job["now"]))
    sink = MailchimpSink(
        job["api_key"],
        list_id=job["list_id"],
        store=Store(id="acme", name="Acme", currency_code="USD"),
        base_url=job["mailchimp"],
        retry=RetryPolicy.immediate(),
    )
    state = STORES[job["store"]](job["state"], job["prefix"], line, clock)
    policy = SyncPolicy(inactive=job["inactive"], reactivated="resubscribe", most_leaving=1)
    with SyncEngine(source_of(job), sink, state=state, name=NAME, policy=policy, clock=clock, progress=False) as engine:
        line.ask(owner=_lease.this_owner().rpartition(":")[0])
        try:
            report = engine.run(full=job["full"])
        except MLConnectorError as error:
            line.tell(ended=type(error).__name__, said=str(error))
            return
    errors = [stream.error for stream in report.streams.values() if stream.error]
    counts = {name: stream.counts for name, stream in report.streams.items()}
    line.tell(ended="not finished" if errors else "ok", said="; ".join(errors), counts=counts)


def main() -> None:
    """Fork for each job on standard input, until it ends."""
    port, batch = int(sys.argv[1]), int(sys.argv[2])
    # A story of dozens of records has as many checkpoints as a real one of thousands.
    _run.BATCH_SIZE = batch
    # Nobody asks how a process ended that was killed.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for job in sys.stdin:
        if os.fork() == 0:
            line = Line(("127.0.0.1", port))
            line.tell(pid=os.getpid())
            try:
                run(json.loads(job), line)
            except BaseException as error:
                line.tell(ended="crashed", said=repr(error))
                raise
            finally:
                os._exit(0)


if __name__ == "__main__":
    main()
