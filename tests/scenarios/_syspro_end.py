"""The SYSPRO end of a pipeline, spoken to as a user of SYSPRO would."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from mlconnector_sdk.network import Network
from mlconnector_sdk.protocols import Source
from mlconnector_sdk.retry import RetryPolicy
from mlconnector_sdk.sources.syspro import (
    ContactManagement,
    ContactView,
    Syspro,
    SysproENet,
    SysproENetSoap,
    SysproOData,
)
from mlconnector_sdk.sources.syspro._contacts import person_key
from mlconnector_sdk.testing import FakeClock, FakeSyspro, Request


class SysproEnd:
    """One company behind one of its APIs; keys are those the source reports.

    A customer that is inactive is one that nothing may be sold to, which this site makes `SalesAllowed` say.

    Attributes:
        knows_payments: the ledger says whether an invoice is paid.
    """

    knows_payments = True

    def __init__(self, clock: FakeClock, *, api: Literal["odata", "enet", "soap"] = "odata", **options: Any) -> None:
        self.fake = FakeSyspro(clock=clock, **options)
        self.api = api
        # The view that a site would make for a reader that has no business objects.
        self.fake.odata.views["Contacts"] = "Contact"
        self._people: dict[str, str] = {}

    def source(
        self, *, kind: type[Syspro] = Syspro, password: str | None = None, network: Network = Network(), **settings: Any
    ) -> Source:
        through_odata = self.api == "odata"
        settings = {
            "retry": RetryPolicy.immediate(),
            "page_size": 50,
            "statuses": {"SalesAllowed": {"N": "inactive"}},
            "contacts": ContactView(table="Contacts") if through_odata else ContactManagement(key_type="C"),
            **settings,
        }
        return kind(api=self.door(network=network, **({"password": password} if password else {})), **settings)

    def door(self, **settings: Any) -> SysproOData | SysproENet | SysproENetSoap:
        """The API with the right credentials."""
        if self.api == "odata":
            return SysproOData(self.fake.odata_root, username="SYNC", **{"password": "odata secret", **settings})
        settings = {"operator": "SYNC", "password": "secret", "company": "EDU1", "seat_wait": 0.0, **settings}
        return (
            SysproENet(self.fake.url, **settings)
            if self.api == "enet"
            else SysproENetSoap(self.fake.soap_url, **settings)
        )

    def add_customer(
        self, email: str | None, *, name: str = "Harbor Pumps", key: str | None = None, inactive: bool = False
    ) -> str:
        return self.fake.add_customer(key, name=name, email=email, SalesAllowed="N" if inactive else "")

    def set_email(self, key: str, email: str | None) -> None:
        self.fake.edit("ArCustomer", key, Email=email or "")

    def rename(self, key: str, name: str) -> None:
        self.fake.edit("ArCustomer", key, Name=name)

    def deactivate(self, key: str) -> None:
        self.fake.edit("ArCustomer", key, SalesAllowed="N")

    def put_on_hold(self, key: str) -> None:
        self.fake.edit("ArCustomer", key, CustomerOnHold="Y")

    def activate(self, key: str) -> None:
        self.fake.edit("ArCustomer", key, SalesAllowed="")

    def remove(self, key: str) -> None:
        self.fake.delete("ArCustomer", key)

    def add_contact(
        self,
        email: str | None,
        *,
        account: str | None = None,
        first: str = "Mary",
        last: str = "Hara",
        opted_out: bool = False,
    ) -> str:
        flag = "Y" if opted_out else "N"
        if self.api == "odata":
            return self.fake.add_contact(first=first, last=last, email=email, customer=account, DoNotBulkEmail=flag)
        # Business objects find persons by way of customers only: whoever belongs to nobody gets one without an address.
        owner = account or self.fake.add_customer(name="Over the counter")
        contact = self.fake.add_contact(first=first, last=last, email=email, customer=owner, DoNotBulkEmail=flag)
        key = person_key(owner, f"{first} {last}")
        self._people[key] = contact
        return key

    def opt_out(self, contact: str) -> None:
        self.fake.edit("Contact", self._people.get(contact, contact), DoNotBulkEmail="Y")

    def add_supplier(self, email: str | None) -> str:
        return self.fake.add_supplier(email=email)

    def add_order(
        self,
        customer: str,
        lines: Sequence[tuple[str | None, str, Any, Any]] = (("PUMP-1", "Pump", 2, 50),),
        **more: Any,
    ) -> str:
        if email := more.pop("email", ""):
            more["SalesOrder"] = self.fake.add_order(customer, lines, Email=email)
        _, number, kind = self.fake.add_invoice(customer, lines, **more)
        return f"{kind}/{number}"

    def pay_order(self, key: str) -> None:
        self.fake.edit("ArInvoice", self._place(key), InvoiceBal1=0)

    def touch_order(self, key: str) -> None:
        self.fake.edit("ArInvoice", self._place(key), LastDelNote="000123")

    def lists_customers(self, request: Request) -> bool:
        """Whether this request asks for a further page of customers."""
        if self.api == "odata":
            return request.path.endswith("/ArCustomer") and "Customer gt" in request.query.get("$filter", "")
        asked = request.query.get("XmlIn", "") if self.api == "enet" else request.body.decode()
        plain = asked.replace("&lt;", "<").replace("&gt;", ">")
        return "<TableName>ArCustomer</TableName>" in plain and "<Condition>GT</Condition>" in plain

    def drop_line(self, key: str) -> None:
        invoice = self.fake.invoices[self._place(key)]
        invoice["Lines"] = invoice["Lines"][:-1]

    def _place(self, key: str) -> tuple[str, str, str]:
        kind, _, number = key.partition("/")
        return next(place for place in self.fake.invoices if place[1:] == (number, kind))
