"""What the demo can read from: one small class for each ERP, and the time that all systems share."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from ..auth import OAuth2Password
from ..protocols import Source
from ..sources.acumatica import Acumatica
from ..testing import FakeAcumatica, FakeServer

__all__ = ["DemoClock", "SimulatedAcumatica", "SimulatedERP"]


class DemoClock:
    """The real time, set forward between the steps, so that nobody has to wait until an hour has passed."""

    def __init__(self) -> None:
        self._ahead = timedelta()

    def __call__(self) -> datetime:
        """The same as `now`, as the simulated systems want it."""
        return self.now()

    def now(self) -> datetime:
        """Aware UTC."""
        return datetime.now(UTC) + self._ahead

    def monotonic(self) -> float:
        """Seconds."""
        return time.monotonic() + self._ahead.total_seconds()

    def advance(self, **duration: float) -> None:
        """Move on, in the words of `timedelta`: `advance(hours=2)`."""
        self._ahead += timedelta(**duration)


class SimulatedERP(Protocol):
    """What the demo needs of an ERP, in words that every ERP shares; keys are those that its source reports."""

    @property
    def title(self) -> str:
        """The system's name for people."""
        ...

    @property
    def fake(self) -> FakeServer:
        """The far system itself, started and stopped by the demo."""
        ...

    def source(self) -> Source:
        """A source that reads the fake, as an integration would make it."""
        ...

    def counts(self) -> dict[str, int]:
        """How many records each stream has."""
        ...

    def rename(self, customer: str, name: str) -> None:
        """Somebody corrects a customer's name."""
        ...

    def set_email(self, customer: str, email: str) -> None:
        """Somebody corrects a customer's address."""
        ...

    def add_customer(self, name: str, email: str) -> str:
        """A new customer; returns its key."""
        ...

    def add_invoice(self, customer: str) -> str:
        """A new posted invoice; returns its key."""
        ...


class SimulatedAcumatica:
    """An Acumatica site with customers, contacts, vendors and sales invoices."""

    title = "Acumatica"

    def __init__(self, customers: int, clock: DemoClock, latency: float) -> None:
        self.fake = FakeAcumatica(
            customers=customers,
            contacts=customers * 3 // 4,
            vendors=customers // 15 + 1,
            invoices=customers * 2 // 3,
            clock=clock,
            latency=latency,
        )

    def source(self) -> Source:
        """Signed in by password, as a run that nobody watches."""
        login = OAuth2Password(
            client_id="88358B02-A48D-A50E-F710-39C1636C30F6@Acme",
            client_secret="s3cret",  # noqa: S106 - what the fake lets in is public
            username="sync",
            password="correct horse",  # noqa: S106 - the same
        )
        return Acumatica(self.fake.base_url, version=self.fake.version, auth=login)

    def counts(self) -> dict[str, int]:
        """By the site's own tables."""
        fake = self.fake
        tables = {
            "customers": fake.customers,
            "contacts": fake.contacts,
            "suppliers": fake.vendors,
            "orders": fake.sales_invoices,
        }
        return {stream: len(rows) for stream, rows in tables.items()}

    def rename(self, customer: str, name: str) -> None:
        """On the Customers form."""
        self.fake.edit("Customer", customer, CustomerName=name)

    def set_email(self, customer: str, email: str) -> None:
        """On the Customers form, together with the terms: an edit of the address alone leaves no stamp in Acumatica."""
        changes: dict[str, Any] = {"MainContact.Email": email, "Terms": "NET14"}
        self.fake.edit("Customer", customer, **changes)

    def add_customer(self, name: str, email: str) -> str:
        """Active, with nothing but a name and an address."""
        return self.fake.add_customer(name=name, email=email)

    def add_invoice(self, customer: str) -> str:
        """Of a stock item, and a line that has no item."""
        lines = [("AALEGO500", "Lego piece, 500 pack", 3, "15.00"), (None, "Gift wrapping", 1, "4.50")]
        return "/".join(self.fake.add_invoice(customer, lines, freight="12.50"))
