"""The SYSPRO of the demo."""

from __future__ import annotations

from ..protocols import Source
from ..sources.syspro import ContactManagement, Syspro, SysproENet
from ..testing import FakeSyspro
from ._erps import DemoClock

__all__ = ["SimulatedSyspro"]


class SimulatedSyspro:
    """A company of SYSPRO with customers, contacts, suppliers and invoices, read through e.net."""

    title = "SYSPRO"

    def __init__(self, customers: int, clock: DemoClock, latency: float) -> None:
        self.fake = FakeSyspro(
            customers=customers,
            contacts=customers * 3 // 4,
            suppliers=customers // 15 + 1,
            invoices=customers * 2 // 3,
            operator="MAILSYNC",
            clock=clock,
            latency=latency,
        )

    def source(self) -> Source:
        """Logged on as an operator of its own; a customer to whom nothing may be sold is inactive here."""
        door = SysproENet(
            self.fake.url,
            operator="MAILSYNC",
            password="secret",  # noqa: S106 - what the fake lets in is public
            company="EDU1",
        )
        contacts = ContactManagement(key_type="C")
        return Syspro(api=door, contacts=contacts, statuses={"SalesAllowed": {"N": "inactive"}})

    def counts(self) -> dict[str, int]:
        """By the company's own tables; contacts of nobody cannot be found through business objects."""
        fake = self.fake
        return {
            "customers": len(fake.customers),
            "contacts": sum(bool(contact.get("Customer")) for contact in fake.contacts.values()),
            "suppliers": len(fake.suppliers),
            "orders": len(fake.invoices),
        }

    def rename(self, customer: str, name: str) -> None:
        """In customer maintenance."""
        self.fake.edit("ArCustomer", customer, Name=name)

    def set_email(self, customer: str, email: str) -> None:
        """In customer maintenance."""
        self.fake.edit("ArCustomer", customer, Email=email)

    def add_customer(self, name: str, email: str) -> str:
        """With nothing but a name and an address."""
        return self.fake.add_customer(name=name, email=email)

    def add_invoice(self, customer: str) -> str:
        """Of a stock item, and a charge that has none."""
        lines = [("B100", "15-speed mountain bike", 3, "15.00"), (None, "Gift wrapping", 1, "4.50")]
        _, number, kind = self.fake.add_invoice(customer, lines, freight="12.50")
        return f"{kind}/{number}"
