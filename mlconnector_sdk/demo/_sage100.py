"""The Sage 100 of the demo."""

from __future__ import annotations

from ..protocols import Source
from ..sources.sage100 import Sage100, Sage100Agent
from ..testing import FakeSage100
from ._erps import DemoClock

__all__ = ["SimulatedSage100"]

_NO_MAIL = "UDF_DO_NOT_EMAIL"


class SimulatedSage100:
    """A company of Sage 100 with customers, contacts, vendors and invoices, read through the agent beside it."""

    title = "Sage 100"

    def __init__(self, customers: int, clock: DemoClock, latency: float) -> None:
        self.fake = FakeSage100(
            customers=customers,
            contacts=customers * 3 // 4,
            vendors=customers // 15 + 1,
            invoices=customers * 2 // 3,
            udfs={"AR_Customer": {_NO_MAIL: "Y/N"}},
            clock=clock,
            latency=latency,
        )

    def source(self) -> Source:
        """With the agent's token, and the column that the site made for people who want no mail."""
        return Sage100(
            company="ABC",
            api=Sage100Agent(self.fake.agent_url, token=self.fake.agent_token),
            timezone=self.fake.site.timezone,
            orders="invoices",
            optout_field=_NO_MAIL,
            flag_field=_NO_MAIL,
        )

    def counts(self) -> dict[str, int]:
        """By the company's own tables."""
        tables = {
            "customers": "AR_Customer",
            "contacts": "AR_CustomerContact",
            "suppliers": "AP_Vendor",
            "orders": "AR_InvoiceHistoryHeader",
        }
        return {stream: len(self.fake.table(name)) for stream, name in tables.items()}

    def rename(self, customer: str, name: str) -> None:
        """In Customer Maintenance."""
        self.fake.edit("AR_Customer", customer, CustomerName=name)

    def set_email(self, customer: str, email: str) -> None:
        """In Customer Maintenance."""
        self.fake.edit("AR_Customer", customer, EmailAddress=email)

    def add_customer(self, name: str, email: str) -> str:
        """With nothing but a name and an address."""
        return self.fake.add_customer(name=name, email=email)

    def add_invoice(self, customer: str) -> str:
        """Of an item, and a charge that has none."""
        lines = [("D1100", "Stackable desk drawer", 3, "15.00"), (None, "Gift wrapping", 1, "4.50")]
        return self.fake.add_invoice(customer, lines)
