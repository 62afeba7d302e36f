"""The Sage 300 of the demo."""

from __future__ import annotations

from ..protocols import Source
from ..sources.sage300 import Sage300
from ..testing import FakeSage300
from ._erps import DemoClock

__all__ = ["SimulatedSage300"]

_FIRST_NEW_ORDER = 1_000_000
"""Far from customer numbers, so that a look-up by number finds one thing only."""


class SimulatedSage300:
    """A company of Sage 300 with customers, contacts, vendors and orders."""

    title = "Sage 300"

    def __init__(self, customers: int, clock: DemoClock, latency: float) -> None:
        self.fake = FakeSage300(
            customers=customers,
            contacts=customers * 3 // 4,
            vendors=customers // 15 + 1,
            orders=customers * 2 // 3,
            username="WEBAPI",
            password="S3CRET",  # noqa: S106 - what the fake lets in is public
            timezone="America/Toronto",
            clock=clock,
            latency=latency,
        )

    def source(self) -> Source:
        """Signed in with the user that an administrator made for it."""
        return Sage300(
            self.fake.base_url,
            company=self.fake.company,
            username="webapi",
            password="s3cret",  # noqa: S106 - the same, in upper case on the wire
            timezone="America/Toronto",
        )

    def counts(self) -> dict[str, int]:
        """By the company's own tables; quotes, future and standing orders are no orders yet."""
        fake = self.fake
        return {
            "customers": len(fake.customers),
            "contacts": len(fake.contacts),
            "suppliers": len(fake.vendors),
            "orders": sum(order["OrderType"] == "Active" for order in fake.orders.values()),
        }

    def rename(self, customer: str, name: str) -> None:
        """In A/R Customers."""
        self.fake.edit("ARCustomers", customer, CustomerName=name)

    def set_email(self, customer: str, email: str) -> None:
        """In A/R Customers."""
        self.fake.edit("ARCustomers", customer, Email=email)

    def add_customer(self, name: str, email: str) -> str:
        """Active, with nothing but a name and an address."""
        return self.fake.add_customer(name=name, email=email)

    def add_invoice(self, customer: str) -> str:
        """An order of a stock item and a charge: what the source's `orders` are made of."""
        lines = [("A1-103/0", "Fluorescent desk lamp", 3, "15.00"), (None, "Gift wrapping", 1, "4.50")]
        key = _FIRST_NEW_ORDER + len(self.fake.orders)
        return str(self.fake.add_order(customer, lines, key=key))
