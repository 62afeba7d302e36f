"""The Sage 300 end of a pipeline, spoken to as a user of Sage 300 would."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mlconnector_sdk.protocols import Source
from mlconnector_sdk.retry import RetryPolicy
from mlconnector_sdk.sources.sage300 import Sage300
from mlconnector_sdk.testing import FakeClock, FakeSage300, Request


class Sage300End:
    """One company; keys are those the source reports.

    Attributes:
        knows_payments: orders do not say whether they are paid.
    """

    knows_payments = False

    def __init__(self, clock: FakeClock, **options: Any) -> None:
        self.fake = FakeSage300(clock=clock, **{"username": "WEBAPI", "password": "SECRET1", **options})

    def source(self, *, kind: type[Sage300] = Sage300, **settings: Any) -> Source:
        settings = {
            "username": "webapi",
            "password": "secret1",
            "timezone": str(self.fake.zone),
            "retry": RetryPolicy.immediate(),
            "page_size": 50,
            **settings,
        }
        return kind(self.fake.base_url, self.fake.company, **settings)

    def add_customer(
        self, email: str | None, *, name: str = "Harbor Pumps", key: str | None = None, inactive: bool = False
    ) -> str:
        return self.fake.add_customer(key, name=name, email=email, status="Inactive" if inactive else "Active")

    def set_email(self, key: str, email: str | None) -> None:
        self.fake.edit("ARCustomers", key, Email=email or "")

    def rename(self, key: str, name: str) -> None:
        self.fake.edit("ARCustomers", key, CustomerName=name)

    def deactivate(self, key: str) -> None:
        self.fake.edit("ARCustomers", key, Status="Inactive")

    def put_on_hold(self, key: str) -> None:
        self.fake.edit("ARCustomers", key, OnHold="Yes")

    def activate(self, key: str) -> None:
        self.fake.edit("ARCustomers", key, Status="Active")

    def remove(self, key: str) -> None:
        self.fake.delete("ARCustomers", key)

    def add_contact(
        self,
        email: str | None,
        *,
        account: str | None = None,
        first: str = "Mary",
        last: str = "Hara",
        opted_out: bool = False,
    ) -> str:
        return self.fake.add_contact(first=first, last=last, email=email, customer=account, consents=not opted_out)

    def opt_out(self, contact: str) -> None:
        self.fake.edit("MTContacts", contact, ConsentsToReceiveEmail="No")

    def add_supplier(self, email: str | None) -> str:
        return self.fake.add_vendor(email=email)

    def add_order(
        self,
        customer: str,
        lines: Sequence[tuple[str | None, str, Any, Any]] = (("PUMP-1", "Pump", 2, 50),),
        **more: Any,
    ) -> str:
        return str(self.fake.add_order(customer, lines, **more))

    def pay_order(self, key: str) -> None:
        """The nearest there is: everything shipped and invoiced."""
        invoiced = {"LastShipmentNumber": "SH0001", "LastInvoiceNumber": "IN0001"}
        self.fake.edit("OEOrders", int(key), OrderCompleted="CompleteIncluded", **invoiced)

    def touch_order(self, key: str) -> None:
        self.fake.edit("OEOrders", int(key), OrderComment="Call before delivery")

    def lists_customers(self, request: Request) -> bool:
        """Whether this request asks for a page of customers."""
        return request.path.endswith("/ARCustomers") and "skip" in request.raw_path

    def drop_line(self, key: str) -> None:
        order = self.fake.orders[int(key)]
        self.fake.edit("OEOrders", int(key), OrderDetails=order["OrderDetails"][:-1])
