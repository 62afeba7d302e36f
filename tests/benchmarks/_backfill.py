"""A first load of orders by single calls and in batches: seconds and calls, by the number of orders.

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
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from mlconnector_sdk import MailchimpSink, MemoryStateStore, RetryPolicy, Store, SyncEngine
from mlconnector_sdk.models import Order, OrderLine, Page, StreamSpec
from mlconnector_sdk.testing import FakeMailchimp

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
    count: int, *, latency: float, batched: bool, step: float = STEP_SECONDS, polling: RetryPolicy | None = None
) -> dict[str, float]:
    """One first load; its seconds and its calls."""
    command = [*module("_backfill"), f"--latency={latency}", f"--step={step}"]
    account = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT, cwd=ROOT
    )
    assert account.stdout is not None
    where = json.loads(account.stdout.readline())
    sink = MailchimpSink(
        where["key"],
        list_id=where["list_id"],
        base_url=where["base_url"],
        store=Store(id="acme", name="Acme", currency_code="USD"),
        batch_from=1 if batched else None,
        **({"batch_polling": polling} if polling else {}),
    )
    try:
        with SyncEngine(Orders(count), sink, state=MemoryStateStore(), name="bench", progress=False) as engine:  # type: ignore[arg-type]
            began = time.perf_counter()
            report = engine.run()
            seconds = time.perf_counter() - began
        if report.stream("orders").created != count:
            raise SystemExit(str(report))
    finally:
        account.communicate()
    return {"seconds": seconds, "calls": report.requests["mailchimp"]}


def measure_backfill(
    counts: Sequence[int], *, latencies: Sequence[float] = (0.0, 50.0), before: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Both ways for each number of orders and each latency in milliseconds, as a table."""
    print(
        f"\n{'latency ms':>10}{'orders':>9}{'singly s':>11}{'batches s':>11}{'singly calls':>14}{'batches calls':>15}"
    )
    rows: dict[str, Any] = {}
    for latency in latencies:
        for count in counts:
            singly, batches = (load(count, latency=latency, batched=batched) for batched in (False, True))
            rows[f"{count} at {latency:g} ms"] = {"singly": singly, "batches": batches}
            print(
                f"{latency:>10g}{count:>9,}{singly['seconds']:>11.1f}{batches['seconds']:>11.1f}"
                f"{singly['calls'] / count * 1000:>14.1f}{batches['calls'] / count * 1000:>15.1f}",
                flush=True,
            )
    print("calls are those of the whole run per thousand orders")
    return rows


def main() -> None:
    """Serve an account until standard input ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--latency", type=float, required=True, help="milliseconds each answer takes")
    parser.add_argument("--step", type=float, required=True, help="seconds a batch stays at each step")
    options = parser.parse_args()
    with FakeMailchimp(latency=options.latency / 1000, batch_pace=options.step) as fake:
        fake.keep_log = False
        print(json.dumps({"key": fake.api_key, "list_id": fake.list_id, "base_url": fake.base_url}), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
