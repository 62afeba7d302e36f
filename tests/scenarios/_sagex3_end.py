"""The Sage X3 end of a pipeline, spoken to as a user of X3 would."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mlconnector_sdk.network import Network
from mlconnector_sdk.protocols import Source
from mlconnector_sdk.retry import RetryPolicy
from mlconnector_sdk.sources.sagex3 import SageX3, SageX3Rest
from mlconnector_sdk.testing import FakeClock, FakeSageX3, Request

_NO, _YES, _BLOCKED = 1, 2, 3
_REPRESENTATIONS = {
    "BPCUSTOMER": "YMCBPC",
    "BPSUPPLIER": "YMCBPS",
    "BPARTNER": "YMCBPR",
    "BPADDRESS": "YMCBPA",
    "CONTACT": "YMCCNT",
    "CONTACTCRM": "YMCCCN",
    "SINVOICEV": "YMCSIV",
}


class SageX3End:
    """One folder behind api1; keys are those the source reports.

    A customer's e-mail address is that of its default address, which is a row of its own with a stamp of its own.

    Attributes:
        knows_payments: invoices do not say whether they are paid.
    """

    knows_payments = False

    def __init__(self, clock: FakeClock, **options: Any) -> None:
        self.fake = FakeSageX3(clock=clock, **options)

    def source(
        self, *, kind: type[SageX3] = SageX3, password: str | None = None, network: Network = Network(), **settings: Any
    ) -> Source:
        door = SageX3Rest(
            self.fake.base_url,
            endpoint=self.fake.endpoint,
            username=self.fake.username,
            password=password or self.fake.password,
            representations=_REPRESENTATIONS,
            page_size=50,
            network=network,
        )
        return kind(api=door, **{"retry": RetryPolicy.immediate(), **settings})

    def add_customer(
        self, email: str | None, *, name: str = "Harbor Pumps", key: str | None = None, inactive: bool = False
    ) -> str:
        state = _NO if inactive else _YES
        return self.fake.add_customer(key, name=name, email=email or "", last=None, BPCSTA=state)

    def set_email(self, key: str, email: str | None) -> None:
        self.fake.edit("BPADDRESS", (1, key, "A01"), WEB=email or "")

    def rename(self, key: str, name: str) -> None:
        self.fake.edit("BPCUSTOMER", key, BPCNAM=name)

    def deactivate(self, key: str) -> None:
        self.fake.edit("BPCUSTOMER", key, BPCSTA=_NO)

    def put_on_hold(self, key: str) -> None:
        self.fake.edit("BPCUSTOMER", key, OSTCTL=_BLOCKED)

    def activate(self, key: str) -> None:
        self.fake.edit("BPCUSTOMER", key, BPCSTA=_YES)

    def remove(self, key: str) -> None:
        self.fake.delete("BPCUSTOMER", key)

    def add_contact(
        self,
        email: str | None,
        *,
        account: str | None = None,
        first: str = "Mary",
        last: str = "Hara",
        opted_out: bool = False,
    ) -> str:
        # A person is somebody's contact: whoever belongs to nobody gets a customer without an address.
        owner = account or self.fake.add_customer(name="Over the counter", email="", last=None)
        person = self.fake.add_contact(owner, first=first, last=last, email=email or "", mailing_prohibited=opted_out)
        return f"{owner}~{person}"

    def opt_out(self, contact: str) -> None:
        self.fake.edit("CONTACTCRM", contact.partition("~")[2], CNTFBDMAG=_YES)

    def add_supplier(self, email: str | None) -> str:
        return self.fake.add_supplier(email=email or "", last=None)

    def add_order(
        self,
        customer: str,
        lines: Sequence[tuple[str | None, str, Any, Any]] = (("PUMP-1", "Pump", 2, 50),),
        **more: Any,
    ) -> str:
        if email := more.pop("email", ""):
            # A document has no address of its own: it names a person who has one.
            more["CNINAM"] = self.fake.site.put("CONTACTCRM", {"CCNCRM": "C-BUYER", "CNTWEB": email})["CCNCRM"]
        items = [(item or "", title, quantity, price) for item, title, quantity, price in lines]
        return self.fake.add_invoice(customer, items, **more)

    def pay_order(self, key: str) -> None:
        """Nothing that an invoice of X3 would show."""
        self.fake.edit("SINVOICE", key, STA=3)

    def touch_order(self, key: str) -> None:
        self.fake.edit("SINVOICEV", key, INVREF="Call before delivery")

    def lists_customers(self, request: Request) -> bool:
        """Whether this request asks for a further page of customers."""
        return request.path.endswith("/BPCUSTOMER") and "key=gt." in request.raw_path

    def drop_line(self, key: str) -> None:
        last = self.fake.site.lines("SINVOICED", key)[-1]
        self.fake.delete("SINVOICED", last.key)
        self.fake.site.touch("SINVOICEV", key)
