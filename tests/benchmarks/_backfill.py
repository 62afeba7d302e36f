"""A first load of orders by single calls and in batches: time and calls, by the number of orders.

The account lives in a process of its own. How fast the real Mailchimp works on a batch is not published; here a batch
stays half a second at each of its steps, so what is compared is the price of handing over and waiting with the price
of so many calls. The pauses between looks at a batch are those of the default settings.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from mlconnector_sdk import MailchimpSink, MemoryStateStore, RetryPolicy, Store, SyncEngine
from mlconnector_sdk.models import Order, OrderLine, Page, StreamSpec

from ._account import QuickMailchimp
from ._bench import ENVIRONMENT, ROOT, module

PRODUCTS = 200
PAGE = 500
NOW = datetime(2026, 3, 1, tzinfo=UTC)
STEP_SECONDS = 0.5


class Orders:
    """A source of so many orders of a tenth as many customers."""

    system = "orders"
    request_count = 0
    streams = {"orders": StreamSpec(name="orders", entity="Order", cursor_field="stamp")}  # noqa: RUF012

    def __init__(self, count: int) -> None:
        self._count = count

    def attach(self, **_: Any) -> None:
        """Nothing is asked for."""

    def present(self, _stream: str) -> datetime:
        """The end of time."""
        return NOW

    def read(self, _stream: str, _window: Any) -> Any:
        """All orders, a page at a time."""
        for start in range(0, self._count, PAGE):
            numbers = range(start, min(start + PAGE, self._count))
            yield Page(stream="orders", records=tuple(self._order(number) for number in numbers))

    def close(self) -> None:
        """Nothing is open."""

    def _order(self, number: int) -> Order:
        amount = Decimal(number % 97 + 1)
        item = f"ITEM-{number % PRODUCTS}"
        return Order(
            key=f"INV-{number:06d}",
            email=f"buyer{number % max(self._count // 10, 1)}@harbor-pumps.com",
            total=amount,
            placed_on=date(2026, 1, 1),
            lines=(OrderLine(key="1", product_key=item, title=item, unit_price=amount, amount=amount),),
            modified_at=NOW,
        )


def load(
    where: Mapping[str, str], count: int, *, batched: bool, polling: RetryPolicy | None = None
) -> dict[str, float]:
    """One first load in this process: its seconds, its processor time and its calls."""
    sink = MailchimpSink(
        where["key"],
        list_id=where["list_id"],
        base_url=where["base_url"],
        store=Store(id="acme", name="Acme", currency_code="USD"),
        batch_from=1 if batched else None,
        **({"batch_polling": polling} if polling else {}),
    )
    with SyncEngine(Orders(count), sink, state=MemoryStateStore(), name="bench", progress=False) as engine:  # type: ignore[arg-type]
        began, before = time.perf_counter(), time.process_time()
        report = engine.run()
        seconds, cpu = time.perf_counter() - began, time.process_time() - before
    if report.stream("orders").created != count:
        raise SystemExit(str(report))
    return {"seconds": seconds, "cpu": cpu, "calls": report.requests["mailchimp"]}


@contextmanager
def account(latency: float, step: float = STEP_SECONDS) -> Iterator[dict[str, str]]:
    """An account in a process of its own."""
    command = [*module("_backfill"), f"--latency={latency}", f"--step={step}"]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    served = subprocess.Popen(command, text=True, env=ENVIRONMENT, cwd=ROOT, **pipes)
    assert served.stdout is not None
    try:
        yield json.loads(served.stdout.readline())
    finally:
        served.communicate()


def _loaded(count: int, *, latency: float, batched: bool) -> dict[str, float]:
    with account(latency) as where:
        command = [*module("_backfill"), "--job", json.dumps({"where": where, "count": count, "batched": batched})]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=ENVIRONMENT, cwd=ROOT)
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def measure_backfill(
    counts: Mapping[float, Sequence[int]], *, before: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Both ways for each latency in milliseconds and number of orders, as a table."""
    print(
        f"\n{'orders':<24}{'records':>10}{'latency':>9}{'CPU µs/order':>14}{'orders/s':>11}{'calls/order':>13}"
        f"{'CPU ratio':>11}"
    )
    rows: dict[str, Any] = {}
    for latency, sizes in counts.items():
        for count in sizes:
            for how, batched in (("singly", False), ("in batches", True)):
                found = _loaded(count, latency=latency, batched=batched)
                row = {
                    "cpu_us_per_order": round(found["cpu"] / count * 1e6, 2),
                    "orders_per_second": round(count / found["seconds"], 1),
                    "calls_per_order": round(found["calls"] / count, 4),
                }
                name = f"{how} {count} {latency:g}ms"
                old = (before or {}).get(name)
                ratio = f"{row['cpu_us_per_order'] / old['cpu_us_per_order']:.2f}" if old else "-"
                rows[name] = row
                print(
                    f"{how:<24}{count:>10,}{latency:>7g}ms{row['cpu_us_per_order']:>14.1f}"
                    f"{row['orders_per_second']:>11,.0f}{row['calls_per_order']:>13.4f}{ratio:>11}",
                    flush=True,
                )
    return rows


def main() -> None:
    """Do a job, or serve an account until standard input ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--job", type=json.loads, help="where, how many, and whether in batches")
    parser.add_argument("--latency", type=float, default=0.0, help="milliseconds each answer takes")
    parser.add_argument("--step", type=float, default=STEP_SECONDS, help="seconds a batch stays at each step")
    options = parser.parse_args()
    if options.job:
        print(json.dumps(load(options.job["where"], options.job["count"], batched=options.job["batched"])))
        return
    with QuickMailchimp(latency=options.latency / 1000, batch_pace=options.step) as fake:
        print(json.dumps({"key": fake.api_key, "list_id": fake.list_id, "base_url": fake.base_url}), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
