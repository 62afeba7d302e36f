"""The Sage 100 end of a pipeline, spoken to as a user of Sage 100 would."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mlconnector_sdk.network import Network
from mlconnector_sdk.protocols import Source
from mlconnector_sdk.retry import RetryPolicy
from mlconnector_sdk.sources.sage100 import Sage100, Sage100Agent
from mlconnector_sdk.testing import FakeClock, FakeSage100, Request

NO_MAIL = "UDF_DO_NOT_EMAIL"
LEDGER = "UDF_SALES_ACCT"
_UDFS = {"AR_Customer": {NO_MAIL: "Y/N", LEDGER: "9"}, "AR_CustomerContact": {NO_MAIL: "Y/N"}}


class Sage100End:
    """One company behind the agent; keys are those the source reports, and orders are those of order history.

    Attributes:
        knows_payments: orders do not say whether they are paid.
    """

    knows_payments = False

    def __init__(self, clock: FakeClock, **options: Any) -> None:
        self.fake = FakeSage100(clock=clock, **{"udfs": _UDFS, **options})

    def source(
        self,
        *,
        kind: type[Sage100] = Sage100,
        password: str | None = None,
        page_size: int = 50,
        network: Network = Network(),
        **settings: Any,
    ) -> Source:
        settings = {
            "timezone": self.fake.site.timezone,
            "orders": "order_history",
            "optout_field": {"customers": NO_MAIL, "contacts": NO_MAIL},
            "retry": RetryPolicy.immediate(),
            **settings,
        }
        agent = Sage100Agent(
            self.fake.agent_url, token=password or self.fake.agent_token, page_size=page_size, network=network
        )
        return kind(company="ABC", api=agent, **settings)

    def add_customer(
        self, email: str | None, *, name: str = "Harbor Pumps", key: str | None = None, inactive: bool = False
    ) -> str:
        return self.fake.add_customer(key, name=name, email=email, CustomerStatus="I" if inactive else "A")

    def set_email(self, key: str, email: str | None) -> None:
        self.fake.edit("AR_Customer", key, EmailAddress=email or "")

    def rename(self, key: str, name: str) -> None:
        self.fake.edit("AR_Customer", key, CustomerName=name)

    def deactivate(self, key: str) -> None:
        self.fake.edit("AR_Customer", key, CustomerStatus="I")

    def put_on_hold(self, key: str) -> None:
        self.fake.edit("AR_Customer", key, CreditHold="Y")

    def activate(self, key: str) -> None:
        self.fake.edit("AR_Customer", key, CustomerStatus="A")

    def remove(self, key: str) -> None:
        self.fake.delete("AR_Customer", key)

    def add_contact(
        self,
        email: str | None,
        *,
        account: str | None = None,
        first: str = "Mary",
        last: str = "Hara",
        opted_out: bool = False,
    ) -> str:
        # A contact is always somebody's.
        owner = account or self.fake.add_customer(name="Over the counter")
        code = f"P{len(self.fake.table('AR_CustomerContact')):05d}"
        flag = "Y" if opted_out else "N"
        return self.fake.add_contact(owner, code, name=f"{first} {last}", email=email, **{NO_MAIL: flag})

    def opt_out(self, contact: str) -> None:
        self.fake.edit("AR_CustomerContact", contact, **{NO_MAIL: "Y"})

    def add_supplier(self, email: str | None) -> str:
        return self.fake.add_vendor(email=email)

    def add_order(
        self,
        customer: str,
        lines: Sequence[tuple[str | None, str, Any, Any]] = (("PUMP-1", "Pump", 2, 50),),
        *,
        email: str = "",
        **more: Any,
    ) -> str:
        return self.fake.add_order(customer, lines, EmailAddress=email, **more)

    def pay_order(self, key: str) -> None:
        """The nearest there is: shipped and invoiced."""
        self.fake.complete_order(key)

    def touch_order(self, key: str) -> None:
        self.fake.edit("SO_SalesOrderHeader", key, Comment="Call before delivery")

    def lists_customers(self, request: Request) -> bool:
        """Whether this request asks for a page of customers."""
        return request.path.endswith("/customers") and "key" not in request.query

    def drop_line(self, key: str) -> None:
        last = self.fake.table("SO_SalesOrderDetail").starting_with(key)[-1]
        self.fake.delete("SO_SalesOrderDetail", (key, last["LineKey"]))
