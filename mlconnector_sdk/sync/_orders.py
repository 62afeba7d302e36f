"""Which orders and invoices become which store orders."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal

import attrs

from ..errors import MappingError
from ..mapping import OrderMapper, OrderPayload, order_id, split_emails
from ..models import Link, Order, OrderWrite, Product, UnreadableRow, WriteResult, fingerprint_of, member_id
from ..policy import SyncPolicy
from ..protocols import Sink, StateStore
from ._backfill import PRODUCTS
from ._decision import Decision, Draft, raw_fingerprint, unreadable
from ._seen import Recognition

__all__ = ["OrderDecider", "placed_on"]

_CUSTOMERS = "store_customers"
_SLICE = 25
_TOTAL, _PLACED = "total:", "placed:"
_NOBODY = {"forgotten", "erased"}
_KEPT_OUT = {"erased", "excluded", "inactive", "on_hold", "opted_out"}


class OrderDecider:
    """Turns orders into decisions, given what the state knows. Reads state, writes nothing.

    Args:
        recovered: fingerprints of the orders that an interrupted run created without writing it down, by key.
    """

    stream = "orders"
    # What an order becomes depends on its customer as well.
    recognition: Recognition | None = None

    def __init__(
        self,
        *,
        mapper: OrderMapper,
        policy: SyncPolicy,
        state: StateStore,
        pipeline: str,
        force: bool = False,
        recovered: Mapping[str, str] | None = None,
    ) -> None:
        self._mapper = mapper
        self._policy = policy
        self._state = state
        self._pipeline = pipeline
        self._force = force
        self._recovered = recovered or {}
        self._before: dict[str, Link] = {}
        self._now: datetime | None = None

    def draft(self, records: Iterable[Order | UnreadableRow]) -> list[Draft[Order] | UnreadableRow]:
        """Find whom each order belongs to; of several versions of one order the last one counts."""
        latest = {record.key: record for record in records}
        orders = [order for order in latest.values() if isinstance(order, Order)]
        parents = [order.customer_key for order in orders if order.customer_key]
        customers = self._state.links(self._pipeline, "customers", parents)
        return [
            self._draft(record, customers.get(record.customer_key)) if isinstance(record, Order) else record
            for record in latest.values()
        ]

    def _draft(self, order: Order, customer: Link | None) -> Draft[Order]:
        """An order belongs to its customer's member, else to the address it was billed to.

        Where the customer is kept out of the audience, its orders stay out too: they would make a member of it.
        """
        draft = Draft(stream=self.stream, key=order.key, raw=order.raw, record=order)
        if customer is not None and customer.reason in _KEPT_OUT and not customer.target:
            draft.skip = f"customer_{customer.reason}"
            return draft
        try:
            if customer is not None and customer.address and customer.state != "dead":
                draft.address = customer.address
            else:
                draft.address = next(iter(split_emails(order.email)), "")
        except MappingError as error:
            draft.error = error
        return draft

    def claims(self, drafts: Sequence[Draft[Order] | UnreadableRow]) -> set[str]:
        """Orders touch only themselves; what they bring along (customers, products) may be written twice unharmed."""
        keys = [draft.key for draft in drafts]
        corrected = [d.record.corrects for d in drafts if isinstance(d, Draft) and d.record and d.record.corrects]
        self._before = self._state.links(self._pipeline, self.stream, [*keys, *corrected])
        return {f"{self.stream}:{key}" for key in [*keys, *corrected]}

    def decide(self, drafts: Sequence[Draft[Order] | UnreadableRow], now: datetime) -> list[Decision]:
        """One decision per order, in order; `claims` must have been asked before, on the same state."""
        self._now = now
        addresses = {draft.address for draft in drafts if isinstance(draft, Draft) and draft.address}
        suppressions = self._state.suppressions(self._pipeline, sorted(addresses))
        nobody = {address for address, held in suppressions.items() if held.reason in _NOBODY}
        decisions = []
        payloads: list[tuple[Decision, OrderPayload]] = []
        for draft in drafts:
            before = self._before.get(draft.key)
            if isinstance(draft, UnreadableRow):
                decision = unreadable(self.stream, draft, before, replayed=self._force)
            else:
                decision = Decision(
                    stream=self.stream, key=draft.key, raw=draft.raw, before=before, replayed=self._force
                )
                payload = self._decide(decision, draft, nobody)
                if payload is not None:
                    payloads.append((decision, payload))
            decisions.append(decision)
        self._attach_writes(payloads)
        return decisions

    def _decide(self, decision: Decision, draft: Draft[Order], nobody: set[str]) -> OrderPayload | None:
        """Settle what needs no write; otherwise the payload to write."""
        order = draft.record
        assert order is not None
        try:
            if draft.error is not None:
                raise draft.error
            reason = draft.skip or self._reason_to_skip(order, draft.address, nobody)
            if reason:
                self._skip(decision, order, reason)
                return None
            if order.kind == "credit":
                self._refund(decision, order, draft.address)
                return None
            payload = self._mapper.payload(order, draft.address)
        except MappingError as error:
            decision.fail(error.reason, error.message, fingerprint=raw_fingerprint(draft.raw))
            return None
        decision.fingerprint = payload.fingerprint
        if self._is_settled(decision):
            return None
        decision.link = Link(
            stream=self.stream,
            key=order.key,
            target=payload.id,
            address=payload.address,
            fingerprint=payload.fingerprint,
            parent=order.customer_key,
            details=(f"{_TOTAL}{order.total}", *_placed(order), *(line["id"] for line in payload.lines)),
            synced_at=self._now,
        )
        return payload

    def _reason_to_skip(self, order: Order, address: str, nobody: set[str]) -> str:
        """The first reason that applies; `""` to go on."""
        credit = order.kind == "credit"
        reasons = {
            "credit_memo": credit and self._policy.credit_memos == "skip",
            "not_posted": not order.final,
            "no_email": not address,
            "forgotten": address in nobody,
            "corrected_order_unknown": credit and self._stored(order.corrects) is None,
        }
        first = next((reason for reason, applies in reasons.items() if applies), "")
        return first or ("" if self._mapper.includes(order) else "excluded")

    def _stored(self, key: str) -> Link | None:
        link = self._before.get(key)
        return link if link is not None and link.target else None

    def _skip(self, decision: Decision, order: Order, reason: str) -> None:
        decision.outcome, decision.reason = "skipped", reason
        link = Link(
            stream=self.stream,
            key=order.key,
            state="skipped",
            reason=reason,
            parent=order.customer_key,
            details=_placed(order) if order.kind != "credit" else (),
        )
        before = decision.before
        if before is not None and before.target:
            # What the store holds already stays linked, so that a later change finds it.
            link = attrs.evolve(before, state="skipped", reason=reason, fingerprint="")
        decision.link = link
        decision.news = link != before

    def _is_settled(self, decision: Decision) -> bool:
        before = decision.before
        if before is None or self._force or before.fingerprint != decision.fingerprint:
            return False
        if before.state == "dead":
            decision.outcome, decision.reason, decision.news = "dead", before.reason, False
            return True
        if before.state == "synced":
            decision.outcome, decision.news = "unchanged", False
            return True
        return False

    def _refund(self, decision: Decision, credit: Order, address: str) -> None:
        """A credit memo becomes the financial status of the order it corrects."""
        corrected = self._stored(credit.corrects)
        assert corrected is not None
        total = _total_of(corrected)
        status = "refunded" if total is None or credit.total >= total else "partially_refunded"
        decision.fingerprint = fingerprint_of(f"{credit.corrects} {status}".encode())
        if self._is_settled(decision):
            return
        decision.write = OrderWrite(
            record_key=credit.key,
            id=order_id(credit.corrects),
            address=address,
            body={"financial_status": status},
            customer={"id": member_id(address)},
            lines=(),
            known_line_ids=(),
            exists=True,
            customer_known=True,
        )
        decision.link = Link(
            stream=self.stream,
            key=credit.key,
            target=order_id(credit.corrects),
            address=address,
            fingerprint=decision.fingerprint,
            parent=credit.customer_key,
        )

    def _attach_writes(self, payloads: Sequence[tuple[Decision, OrderPayload]]) -> None:
        products = {product.id for _, payload in payloads for product in payload.products}
        customers = {payload.customer["id"] for _, payload in payloads}
        known_products = self._state.links(self._pipeline, PRODUCTS, sorted(products))
        known_customers = self._state.links(self._pipeline, _CUSTOMERS, sorted(customers))
        for decision, payload in payloads:
            before = decision.before
            stored = before if before is not None and before.target else None
            known = known_customers.get(payload.customer["id"])
            decision.write = OrderWrite(
                record_key=decision.key,
                id=payload.id,
                address=payload.address,
                body=payload.body,
                customer=payload.customer,
                lines=payload.lines,
                products=payload.products,
                known_products=frozenset(p.id for p in payload.products if p.id in known_products),
                known_line_ids=_line_ids(stored) if stored else None,
                exists=stored is not None,
                customer_known=known is not None and known.fingerprint == _customer_fingerprint(payload.customer),
                fingerprint=payload.fingerprint,
            )
            decision.other_links = _brought_along(decision.write)
            if stored is None and decision.key in self._recovered:
                self._take_recovered(decision, decision.write)

    def _take_recovered(self, decision: Decision, write: OrderWrite) -> None:
        """The store holds the order already, as it is now or as it was when the interrupted run read it."""
        if self._recovered[decision.key] == write.fingerprint:
            decision.outcome, decision.message, decision.write = "created", "created by an interrupted run", None
        else:
            decision.write = attrs.evolve(write, exists=True)

    def write(self, sink: Sink, writes: Sequence[OrderWrite]) -> list[WriteResult]:
        """Send the writes of a slice."""
        return sink.write_orders(writes)

    def slices(self, writes: Sequence[OrderWrite]) -> list[Sequence[OrderWrite]]:
        """Orders go one by one, so a batch is cut for several workers."""
        return [writes[start : start + _SLICE] for start in range(0, len(writes), _SLICE)]

    def settle(self, decision: Decision, result: WriteResult, now: datetime) -> None:
        """Complete a decision with the sink's answer; customers and products of a refused order stay unknown."""
        decision.take(result)
        if result.kind in {"dead", "skipped"}:
            decision.other_links = []
        if result.kind == "skipped" and decision.link is not None:
            before = decision.before
            decision.link = attrs.evolve(
                decision.link,
                state="skipped",
                reason=decision.reason,
                target=before.target if before else "",
                fingerprint="",
            )

    def finish(self, decisions: Sequence[Decision]) -> None:
        """Nothing follows from one order for another."""


def placed_on(link: Link) -> date | None:
    """The business date of an order's document, as its link remembers it."""
    found = _detail(link, _PLACED)
    return date.fromisoformat(found) if found else None


def _placed(order: Order) -> tuple[str, ...]:
    day = order.placed_on
    return (f"{_PLACED}{day.isoformat()[:10]}",) if day else ()


def _line_ids(link: Link) -> tuple[str, ...]:
    return tuple(detail for detail in link.details if not detail.startswith((_TOTAL, _PLACED)))


def _total_of(link: Link) -> Decimal | None:
    found = _detail(link, _TOTAL)
    return Decimal(found) if found else None


def _detail(link: Link, name: str) -> str:
    return next((detail.removeprefix(name) for detail in link.details if detail.startswith(name)), "")


def _customer_fingerprint(customer: object) -> str:
    return fingerprint_of(repr(customer).encode())


def _brought_along(write: OrderWrite) -> list[Link]:
    """What the store holds once this order is written."""
    links = [_product_link(product) for product in write.products if product.id not in write.known_products]
    if not write.customer_known:
        links.append(
            Link(
                stream=_CUSTOMERS,
                key=write.customer["id"],
                target=write.customer["id"],
                fingerprint=_customer_fingerprint(write.customer),
            )
        )
    return links


def _product_link(product: Product) -> Link:
    return Link(stream=PRODUCTS, key=product.id, target=product.id)
