"""Both far sides in a process of their own, so that a client's processor time is the client's alone.

Commands come on standard input, a line each, and are answered with `done`: `later SECONDS` moves the clock of the
account, `empty` forgets all its members, `settle` makes their changes old, `latency MILLISECONDS` is what each answer
takes from now on. The end of the input ends the process.
"""

from __future__ import annotations

import argparse
import json
import sys
from datetime import UTC, datetime, timedelta

from ._account import QuickMailchimp
from ._erps import SITES
from ._sources import source_of


class Clock:
    """The real time, moved on by command."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


def main() -> None:
    """Start both, say where they are, and obey."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--site", choices=SITES, required=True)
    parser.add_argument("--customers", type=int, required=True)
    options = parser.parse_args()
    clock = Clock()
    with SITES[options.site]() as erp, QuickMailchimp(clock=clock) as mailchimp:
        erp.hold(options.customers)
        with source_of(options.site, erp.where) as source:
            # The first page has all of them written.
            next(iter(source.read("customers")))
        where = {
            "site": options.site,
            "erp": erp.where,
            "mailchimp": {"base_url": mailchimp.base_url, "api_key": mailchimp.api_key, "list_id": mailchimp.list_id},
            "bytes_per_record": erp.bytes_per_record,
        }
        print(json.dumps(where), flush=True)
        for line in sys.stdin:
            command, _, value = line.strip().partition(" ")
            if command == "later":
                clock.ahead += timedelta(seconds=float(value))
            elif command == "empty":
                mailchimp.empty()
            elif command == "settle":
                mailchimp.settle()
            elif command == "latency":
                erp.latency = mailchimp.latency = float(value) / 1000
            else:
                raise ValueError(f"unknown command {command!r}")
            print("done", flush=True)


if __name__ == "__main__":
    main()
