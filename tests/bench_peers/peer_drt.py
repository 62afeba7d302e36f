"""drt-core: its REST source, its engine, its own files for state, and its queue for refused records.

drt ships no destination for Mailchimp, so this one is the smallest that its protocol allows, with drt's own retry
around the call. With `ledger` as the first argument the ledger of delivered records is on, keyed by record and stamp.
drt ships that ledger for PostgreSQL only; here the same statements go to SQLite, which is the quicker of the two.
"""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Collection, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
from _peer import BULK, CURSOR, PAGE, Job, bulk_body, flat, job_of_this_process, since
from drt.config.models import DLQConfig, FileDestinationConfig, RetryConfig, SyncConfig, SyncOptions
from drt.config.profiles import RestApiProfile
from drt.destinations.base import SyncResult
from drt.destinations.retry import with_retry
from drt.destinations.row_errors import RowError
from drt.engine.observer import CompositeObserver, DlqObserver, StatePersistingObserver
from drt.engine.sync import run_sync
from drt.sources.rest_api import RestApiSource
from drt.state.dlq import LocalDlqStore
from drt.state.manager import StateManager
from drt.state.watermark import LocalWatermarkStorage

NAME = "peers"


class Customers(RestApiSource):
    """The ERP's list, with flat rows and the cursor in the ERP's own words."""

    def extract(self, query: str, config: Any, **more: Any) -> Iterator[dict[str, Any]]:
        yield from map(flat, super().extract(query, config, **more))

    def extract_incremental(
        self, query: str, config: Any, cursor_value: str | None, **more: Any
    ) -> Iterator[dict[str, Any]]:
        filter_text = since(cursor_value) if cursor_value else None
        yield from map(flat, super().extract_incremental(query, config, filter_text, **more))


class Members:
    """Bulk calls of whatever the engine hands over."""

    def __init__(self, job: Job) -> None:
        self._client = httpx.Client(auth=("drt", job.api_key), timeout=120)
        self._url = f"{job.mailchimp}/lists/{job.list_id}"

    def load(self, records: list[dict[str, Any]], config: Any, sync_options: SyncOptions) -> SyncResult:
        """One call."""

        def send() -> httpx.Response:
            response = self._client.post(self._url, json=bulk_body(records))
            response.raise_for_status()
            return response

        answer = with_retry(send, RetryConfig()).json()
        place = {row["Email"]: number for number, row in enumerate(records)}
        errors = [
            RowError(
                batch_index=place[error["email_address"]],
                record_preview=error["email_address"],
                http_status=None,
                error_message=error["error"],
            )
            for error in answer["errors"]
        ]
        written = len(answer["new_members"]) + len(answer["updated_members"])
        return SyncResult(success=written, failed=len(errors), row_errors=errors)


class Ledger:
    """drt's protocol of what was delivered, durable before the next batch."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=FULL")
        with self._connection:
            self._connection.execute(
                "CREATE TABLE IF NOT EXISTS ledger (sync_name TEXT NOT NULL, idempotency_key TEXT NOT NULL, "
                "delivered_at TEXT NOT NULL, PRIMARY KEY (sync_name, idempotency_key))"
            )

    def already_delivered(self, sync_name: str, keys: Collection[str]) -> set[str]:
        """Those of the keys that are in the ledger."""
        marks = ",".join("?" * len(keys))
        rows = self._connection.execute(
            f"SELECT idempotency_key FROM ledger WHERE sync_name = ? AND idempotency_key IN ({marks})",
            (sync_name, *keys),
        )
        return {key for (key,) in rows}

    def mark_delivered(self, sync_name: str, keys: Collection[str], delivered_at: str) -> None:
        """Put them in."""
        rows = [(sync_name, key, delivered_at) for key in keys]
        with self._connection:
            self._connection.executemany("INSERT INTO ledger VALUES (?, ?, ?) ON CONFLICT DO NOTHING", rows)

    def prune(self, sync_name: str, retention_days: int) -> int:
        """Nothing here is a week old."""
        return 0

    def close(self) -> None:
        self._connection.close()


def sync_config(job: Job, *, ledger: bool) -> SyncConfig:
    """The pipeline; its destination's type is asked for, and never looked at."""
    options: dict[str, Any] = {
        "batch_size": BULK,
        "on_error": "skip",
        "dlq": DLQConfig(enabled=True),
        "mode": "incremental" if job.by_cursor else "full",
    }
    if job.by_cursor:
        options["cursor_field"] = CURSOR
    if ledger:
        options["idempotency_key"] = f"{{{{ row['CustomerID'] }}}}:{{{{ row['{CURSOR}'] }}}}"
    nowhere = FileDestinationConfig(type="file", path=str(job.state / "unused.jsonl"), format="jsonl")
    return SyncConfig(name=NAME, model="SELECT 1", destination=nowhere, sync=SyncOptions(**options))


def main() -> None:
    """One run."""
    job, with_ledger = job_of_this_process(), sys.argv[1] == "ledger"
    job.begin()
    pages = {"type": "offset", "limit": PAGE, "offset_param": "$skip", "limit_param": "$top", "max_pages": 1_000_000}
    profile = RestApiProfile(
        type="rest_api", url=job.customers, pagination=pages, incremental={"start_param": "$filter"}
    )
    states, marks, letters = StateManager(job.state), LocalWatermarkStorage(job.state), LocalDlqStore(job.state)
    with closing(Ledger(job.state / "ledger.db")) as ledger:
        run_sync(
            sync_config(job, ledger=with_ledger),
            Customers(),
            Members(job),
            profile,
            job.state,
            state_manager=states,
            watermark_storage=marks,
            observer=CompositeObserver([StatePersistingObserver(states, marks), DlqObserver(letters)]),
            idempotency_ledger=ledger if with_ledger else None,
        )
    job.note(kept=len(letters.read(NAME)))


if __name__ == "__main__":
    main()
