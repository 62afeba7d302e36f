"""Years of orders to be loaded at once, and books that fail to be kept at a moment of one's choice."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from mlconnector_sdk.cursors import CursorValue, Window
from mlconnector_sdk.models import Checkpoint, Lease, Order, OrderLine, Page, StreamSpec
from mlconnector_sdk.state import MemoryStateStore

PAGE = 500
NEWEST = datetime(2026, 3, 1, tzinfo=UTC)


class OrderHistory:
    """A source of orders that are in memory already: order n of customer n % customers, of product n % products."""

    system = "history"
    request_count = 0

    def __init__(self, count: int, *, customers: int = 700, products: int = 60, ordered: bool = False) -> None:
        spec = StreamSpec(name="orders", entity="Order", cursor_field="stamp", ordered=ordered)
        self.streams = {"orders": spec}
        self.orders = [_order(n, count, customers, products) for n in range(count)]

    def attach(self, **wishes: Any) -> None:
        """Nothing is asked for here."""

    def check(self) -> list[Any]:
        return []

    def present(self, stream: str) -> CursorValue:
        return NEWEST

    def read(self, stream: str, window: Window = Window()) -> Iterator[Page]:
        lower = window.lower
        chosen = [order for order in self.orders if lower is None or order.modified_at >= lower]
        for start in range(0, len(chosen), PAGE):
            yield Page(stream="orders", records=tuple(chosen[start : start + PAGE]))

    def fetch(self, stream: str, keys: Sequence[str]) -> Iterator[Page]:
        yield Page(stream="orders", records=tuple(order for order in self.orders if order.key in set(keys)))

    def parse(self, stream: str, raw: Any) -> Order:
        return next(order for order in self.orders if order.key == raw["key"])

    def close(self) -> None:
        """There is nothing to close."""


def _order(number: int, count: int, customers: int, products: int) -> Order:
    item = f"ITEM-{number % products}"
    amount = Decimal(number % 97 + 1)
    return Order(
        key=f"INV-{number:06d}",
        email=f"buyer{number % customers}@harbor-pumps.com",
        name=f"Buyer {number % customers}",
        total=amount,
        placed_on=date(2025, 1, 1) + timedelta(days=number % 365),
        payment="paid",
        lines=(OrderLine(key="1", product_key=item, title=item.title(), unit_price=amount, amount=amount),),
        modified_at=NEWEST - timedelta(seconds=count - number),
        raw={"key": f"INV-{number:06d}"},
    )


class Crash(BaseException):
    """The end of a process, as far as the process can tell."""


class FailingBooks(MemoryStateStore):
    """Keeps state until `crash` says that a commit is the process's last deed.

    Attributes:
        crash: sees each checkpoint; `"before"` crashes before it is kept, `"after"` after that, `None` lets it be.
        commits: all checkpoints that were kept.
    """

    def __init__(self) -> None:
        super().__init__()
        self.crash: Callable[[Checkpoint], str | None] = lambda checkpoint: None
        self.commits: list[Checkpoint] = []

    def commit(self, checkpoint: Checkpoint, lease: Lease) -> None:
        when = self.crash(checkpoint)
        if when == "before":
            raise Crash
        super().commit(checkpoint, lease)
        self.commits.append(checkpoint)
        if when == "after":
            raise Crash
