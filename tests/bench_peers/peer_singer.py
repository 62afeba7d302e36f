"""singer-sdk: a tap and a target, two processes and a pipe, and the state kept by whoever runs them.

The SDK's fast settings are on: messages by msgspec, and no check of each record against its schema in the target. The
official client writes. A record that Mailchimp refuses is logged, as the SDK has no place for it.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from typing import Any

from _peer import BULK, COLUMNS, CURSOR, PAGE, Job, OfficialWriter, flat, job_of_this_process, kept_safe, query, since


def run(job: Job) -> int:
    """What `meltano run` does: start both, and keep every state that the target lets through."""
    job.begin()
    here, text = [sys.executable, __file__], sys.argv[-1]
    tap = subprocess.Popen([*here, "tap", text], stdout=subprocess.PIPE)
    target = subprocess.Popen([*here, "target", text], stdin=tap.stdout, stdout=subprocess.PIPE, text=True)
    assert tap.stdout is not None
    assert target.stdout is not None
    # The tap hears of a target that died only when nobody else holds the pipe.
    tap.stdout.close()
    for line in target.stdout:
        kept_safe(job.state / "state.json", line)
    job.note(kept=0)
    codes = [target.wait(), tap.wait()]
    return next((abs(code) for code in codes if code), 0)


def tap(job: Job) -> None:
    """Read the ERP, and write messages to standard output."""
    from singer_sdk import Tap, typing as th
    from singer_sdk.contrib.msgspec import MsgSpecWriter
    from singer_sdk.pagination import BaseOffsetPaginator
    from singer_sdk.streams import RESTStream

    class Offsets(BaseOffsetPaginator):
        def has_more(self, response: Any) -> bool:
            return len(response.json()) == PAGE

    class Customers(RESTStream[int]):
        name, path, primary_keys, replication_key = "customers", "", ("CustomerID",), CURSOR
        url_base = job.customers
        records_jsonpath = "$[*]"
        schema = th.PropertiesList(
            *(th.Property(name, th.DateTimeType if name == CURSOR else th.StringType) for name in COLUMNS)
        ).to_dict()

        def get_new_paginator(self) -> Offsets:
            return Offsets(0, PAGE)

        def get_url_params(self, context: Any, next_page_token: int | None) -> str:
            mark = self.get_starting_replication_key_value(context)
            return query(next_page_token or 0, since(str(mark)) if mark else "")

        def post_process(self, row: dict[str, Any], context: Any = None) -> dict[str, Any]:
            return flat(row)

    class CustomersTap(Tap):
        name, config_jsonschema = "tap-erp", th.PropertiesList().to_dict()
        message_writer_class = MsgSpecWriter

        def discover_streams(self) -> list[Any]:
            return [Customers(self)]

    state = job.state / "state.json"
    known = str(state) if state.exists() and job.by_cursor else None
    reader = CustomersTap(config={}, state=known)
    job.begin()
    reader.sync_all()


def target(job: Job, lines: Iterable[str]) -> None:
    """Read messages, and write members."""
    from singer_sdk import Target, typing as th
    from singer_sdk.contrib.msgspec import MsgSpecReader
    from singer_sdk.sinks import BatchSink

    writer = OfficialWriter(job)

    class MembersSink(BatchSink):
        max_size = BULK

        def process_batch(self, context: dict[str, Any]) -> None:
            writer.write(context["records"])

    class MembersTarget(Target):
        name, config_jsonschema, default_sink_class = "target-mailchimp", th.PropertiesList().to_dict(), MembersSink
        message_reader_class = MsgSpecReader

    loader = MembersTarget(config={"validate_records": False, "batch_size_rows": BULK})
    job.begin()
    loader.listen(lines)


if __name__ == "__main__":
    role = sys.argv[1]
    if role == "tap":
        tap(job_of_this_process())
    elif role == "target":
        target(job_of_this_process(), sys.stdin)
    else:
        sys.exit(run(job_of_this_process()))
