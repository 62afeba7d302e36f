"""The Sage X3 of the demo."""

from __future__ import annotations

from ..protocols import Source
from ..sources.sagex3 import SageX3, SageX3Rest
from ..testing import FakeSageX3
from ._erps import DemoClock

__all__ = ["SimulatedSageX3"]

_REPRESENTATIONS = {
    "BPCUSTOMER": "YMCBPC",
    "BPSUPPLIER": "YMCBPS",
    "BPARTNER": "YMCBPR",
    "BPADDRESS": "YMCBPA",
    "CONTACT": "YMCCNT",
    "CONTACTCRM": "YMCCCN",
    "SINVOICEV": "YMCSIV",
}
"""What the site's X3 team built for the purpose."""


class SimulatedSageX3:
    """A folder of Sage X3 with customers, contacts, suppliers and invoices, read through api1."""

    title = "Sage X3"

    def __init__(self, customers: int, clock: DemoClock, latency: float) -> None:
        self.fake = FakeSageX3(
            customers=customers,
            contacts=customers // 4,
            suppliers=customers // 15 + 1,
            invoices=customers * 2 // 3,
            clock=clock,
            latency=latency,
        )
        # Rows of the list have the lines as well, so that no invoice is read by its key.
        query = f"{self.fake.representations['YMCSIV'].query} CNINAM"
        self.fake.add_representation("YMCSIV", "SINVOICEV", query, lines=True)

    def source(self) -> Source:
        """Signed in as a Syracuse user that is set to basic authentication."""
        door = SageX3Rest(
            self.fake.base_url,
            endpoint=self.fake.endpoint,
            username=self.fake.username,
            password=self.fake.password,
            representations=_REPRESENTATIONS,
        )
        return SageX3(api=door)

    def counts(self) -> dict[str, int]:
        """By the folder's own tables."""
        fake = self.fake
        tables = {
            "customers": fake.customers,
            "contacts": fake.contacts,
            "suppliers": fake.suppliers,
            "orders": fake.invoices,
        }
        return {stream: len(rows) for stream, rows in tables.items()}

    def rename(self, customer: str, name: str) -> None:
        """In the customer's record."""
        self.fake.edit("BPCUSTOMER", customer, BPCNAM=name[:35])

    def set_email(self, customer: str, email: str) -> None:
        """Of the default contact where there is one, else of the default address: rows with stamps of their own."""
        contact = self.fake.customers[customer]["CNTNAM"]
        if contact and self.fake.persons[contact]["CNTWEB"]:
            self.fake.edit("CONTACTCRM", contact, CNTWEB=email)
        else:
            self.fake.edit("BPADDRESS", (1, customer, "A01"), WEB=email)

    def add_customer(self, name: str, email: str) -> str:
        """With nothing but a name and an address; no supplier has its code, for then the two would be one partner."""
        return self.fake.add_customer(f"N{len(self.fake.partners):05d}", name=name, email=email, last=None)

    def add_invoice(self, customer: str) -> str:
        """Of a product, and a line that has none."""
        lines = [("BIK001", "City bike", 3, "15.00"), ("", "Gift wrapping", 1, "4.50")]
        return self.fake.add_invoice(customer, lines)
