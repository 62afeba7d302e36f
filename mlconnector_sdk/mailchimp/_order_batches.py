"""New orders by the thousand: products first, then the orders, each stage in batches of its own.

Operations of a batch run in any order, so what depends on each other must not share one. Only what is new goes this
way: a creation that is handed over twice, or that runs late, meets what exists and changes nothing, so no accident of
timing can put an older version of an order over a newer one. A store customer travels inside its orders, as it does in
single calls, and needs no stage.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Literal, TypeVar

import attrs

from .._stopping import carried
from ..errors import RecordNotFoundError
from ..models import BatchEntry, OrderWrite, Product, WriteResult
from ..protocols import Journal
from ._batches import Batches, Operation, OperationResult
from ._ecommerce import OrderWriter, order_document, product_document
from ._outage import FaultsInARow
from ._wire import encode

__all__ = ["BATCH_FROM", "LARGEST_BATCH", "OrderBatchWriter"]

# Measured by `nox -s bench -- --backfill`, calls of 50 ms, eight at a time: single calls take as long as handing over
# and waiting at about 3,500 orders, for a hundred times the calls. The true Mailchimp takes longer for a call.
BATCH_FROM = 3000

LARGEST_BATCH = 500

# So few products are written sooner by calls of their own.
_FEW = 10

T = TypeVar("T")
R = TypeVar("R")

Item = tuple[int, OrderWrite]
"""A write with its position in the caller's list."""

Outcomes = dict[str, str]
"""The reason each operation failed for by its id, `""` where it succeeded."""


class OrderBatchWriter:
    """Writes many orders to one store; for use by one thread at a time.

    Args:
        batches: the account's batches.
        single: writes what a batch cannot or could not.
        size: operations per batch at the most.
        threads: how many single calls may be under way at once.

    Attributes:
        under_way: batches were handed over whose results have not been taken.
    """

    def __init__(self, batches: Batches, single: OrderWriter, *, size: int, threads: int) -> None:
        self._batches = batches
        self._single = single
        self._size = size
        self._threads = threads
        self.under_way = False

    def write(self, writes: Sequence[OrderWrite], journal: Journal) -> list[WriteResult]:
        """One result per write, in order. Raises what does not concern one order alone, and what `journal` raises."""
        items = list(enumerate(writes))
        self._create_products([write for write in writes if not write.exists], journal)
        batched = [item for item in items if self._may_be_batched(item[1])]
        entries = self._hand_over("orders", [_order(self._single.root, write) for _, write in batched], journal)
        chosen = {index for index, _ in batched}
        # While Mailchimp works on the batches, what could not go with them goes by itself.
        results = self._singly([item for item in items if item[0] not in chosen])
        outcomes = self._outcomes(entries, journal)
        batch_of = {key: entry.id for entry in entries for key in entry.writes}
        again = []
        for index, write in batched:
            reason = outcomes.get(write.record_key, "unnamed")
            if reason:
                # What the store has already is updated; it is not known with which lines.
                again.append((index, attrs.evolve(write, exists=True) if reason == "already_exists" else write))
            else:
                # Inside a batch no request has an id of its own; the batch's is what there is to ask for.
                results[index] = WriteResult(kind="created", note=f"in batch {batch_of[write.record_key]}")
        for index, result in self._singly(again).items():
            results[index] = attrs.evolve(result, attempts=result.attempts + 1)
        return [results[index] for index, _ in items]

    def recover(self, journal: Journal) -> dict[str, str]:
        """Fingerprints of the orders that noted batches have created, by record key. Waits for those batches."""
        created: dict[str, str] = {}
        entries = journal.entries()
        self.under_way = bool(entries)
        for entry in reversed(entries):
            outcomes = self._read(entry, journal)
            done = [key for key in entry.writes if outcomes.get(key) == ""]
            if entry.stage == "orders" and done:
                created |= {key: entry.writes[key] for key in done}
            else:
                journal.end(entry, done)
        self.under_way = False
        return created

    # Stages

    def _create_products(self, writes: Iterable[OrderWrite], journal: Journal) -> None:
        products = {product.id: product for write in writes for product in self._single.unknown_products(write)}
        if len(products) <= _FEW:
            self._together(self._single.supply_product, products.values())
            return
        entries = self._hand_over("products", [_product(self._single.root, p) for p in products.values()], journal)
        outcomes = self._outcomes(entries, journal)
        self._single.learn_products(key for key, reason in outcomes.items() if not reason)
        failed = [product for key, product in products.items() if outcomes.get(key, "unnamed")]
        exist = {key for key, reason in outcomes.items() if reason == "already_exists"}
        self._together(lambda product: self._single.supply_product(product, exists=product.id in exist), failed)
        for entry in entries:
            journal.end(entry, [key for key in entry.writes if self._single.has_product(key)])

    def _may_be_batched(self, write: OrderWrite) -> bool:
        return not write.exists and bool(write.lines) and not self._single.unknown_products(write)

    # Batches

    def _hand_over(
        self, stage: Literal["products", "orders"], operations: Sequence[tuple[Operation, str]], journal: Journal
    ) -> list[BatchEntry]:
        entries = []
        for start in range(0, len(operations), self._size):
            part = operations[start : start + self._size]
            self.under_way = True
            batch_id = self._batches.submit([operation for operation, _ in part])
            entry = BatchEntry(
                id=batch_id, stage=stage, writes={operation.id: fingerprint for operation, fingerprint in part}
            )
            journal.begin(entry)
            entries.append(entry)
        return entries

    def _outcomes(self, entries: Sequence[BatchEntry], journal: Journal) -> Outcomes:
        """What became of every operation.

        Batches of an account run one after the other, so the last one is waited for first: the others then answer at
        the first look.
        """
        outcomes: Outcomes = {}
        for entry in reversed(entries):
            outcomes |= self._read(entry, journal)
        self.under_way = False
        return outcomes

    def _read(self, entry: BatchEntry, journal: Journal) -> Outcomes:
        """What became of a batch's operations; nothing of those of a batch that is gone, after seven days or by hand.

        Whatever is not named here is written again, and what was created all the same is met then.
        """
        try:
            return self._batches.read(entry.id, _reasons, before_each_look=journal.check)
        except RecordNotFoundError:
            return {}

    # Single calls

    def _singly(self, items: Iterable[Item]) -> dict[int, WriteResult]:
        items, faults = list(items), FaultsInARow()
        results = self._together(self._single.write, [write for _, write in items], faults.see)
        return {index: result for (index, _), result in zip(items, results, strict=True)}

    def _together(
        self, function: Callable[[T], R], values: Iterable[T], see: Callable[[R], object] | None = None
    ) -> list[R]:
        """Side by side. The first error that concerns them all, or that `see` raises, cancels what has not begun."""
        values = list(values)
        if not values:
            return []
        results, work = [], carried(function)
        with ThreadPoolExecutor(min(self._threads, len(values)), thread_name_prefix="mailchimp-orders") as pool:
            futures = [pool.submit(work, value) for value in values]
            try:
                for future in futures:
                    results.append(future.result())
                    if see is not None:
                        see(results[-1])
            finally:
                for future in futures:
                    future.cancel()
        return results


def _reasons(results: Iterator[OperationResult]) -> Outcomes:
    outcomes: Outcomes = {}
    for result in results:
        error = result.error
        outcomes[result.id] = error.reason if error is not None else ""
    return outcomes


def _order(root: str, write: OrderWrite) -> tuple[Operation, str]:
    body = encode(order_document(write))
    operation = Operation(id=write.record_key, method="POST", path=f"{root}/orders", body=body)
    return operation, write.fingerprint


def _product(root: str, product: Product) -> tuple[Operation, str]:
    body = encode(product_document(product))
    return Operation(id=product.id, method="POST", path=f"{root}/products", body=body), ""
