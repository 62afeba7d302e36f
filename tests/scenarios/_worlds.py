"""Both ends of a pipeline on loopback, told in words that every ERP shares, so that one story serves all sources.

A further ERP is one class with the verbs of `AcumaticaEnd` and one line in `ENDS`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, Self

from mlconnector_sdk import MailchimpSink, Store, SyncEngine
from mlconnector_sdk.auth import CookieLogin
from mlconnector_sdk.protocols import Source, StateStore
from mlconnector_sdk.retry import RetryPolicy
from mlconnector_sdk.sources.acumatica import Acumatica
from mlconnector_sdk.state import MemoryStateStore
from mlconnector_sdk.testing import FakeAcumatica, FakeClock, FakeMailchimp, Request
from tests.scenarios._sage100_end import Sage100End
from tests.scenarios._sage100_soap_end import Sage100SoapEnd
from tests.scenarios._sage300_end import Sage300End
from tests.scenarios._sagex3_end import SageX3End
from tests.scenarios._sagex3_graphql_end import SageX3GraphQLEnd
from tests.scenarios._syspro_end import SysproEnd

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
Line = tuple[str | None, str, Any, Any]


class AcumaticaEnd:
    """The ERP end, spoken to as an ERP user would; keys are those the source reports.

    Attributes:
        knows_payments: documents say whether they are paid.
    """

    knows_payments = True

    def __init__(self, clock: FakeClock, **options: Any) -> None:
        self.fake = FakeAcumatica(clock=clock, **options)

    def source(self, *, kind: type[Acumatica] = Acumatica, password: str = "correct horse", **settings: Any) -> Source:
        login = CookieLogin(username="sync", password=password, tenant="Acme")
        usual = {"auth": login, "retry": RetryPolicy.immediate(), "version": self.fake.version, "page_size": 50}
        return kind(self.fake.base_url, **{**usual, **settings})

    def add_customer(
        self, email: str | None, *, name: str = "Harbor Pumps", key: str | None = None, inactive: bool = False
    ) -> str:
        return self.fake.add_customer(key, name=name, email=email, status="Inactive" if inactive else "Active")

    def set_email(self, key: str, email: str | None) -> None:
        # Saving the form stamps the customer as well when one of its own fields changes with the address.
        self.fake.edit("Customer", key, **{"MainContact.Email": email, "AccountRef": str(self.fake.clock())})

    def rename(self, key: str, name: str) -> None:
        self.fake.edit("Customer", key, CustomerName=name)

    def deactivate(self, key: str) -> None:
        self.fake.edit("Customer", key, Status="Inactive")

    def put_on_hold(self, key: str) -> None:
        self.fake.edit("Customer", key, Status="On Hold")

    def activate(self, key: str) -> None:
        self.fake.edit("Customer", key, Status="Active")

    def remove(self, key: str) -> None:
        self.fake.delete("Customer", key)

    def add_contact(
        self,
        email: str | None,
        *,
        account: str | None = None,
        first: str = "Mary",
        last: str = "Hara",
        opted_out: bool = False,
    ) -> str:
        return str(self.fake.add_contact(email=email, account=account, first=first, last=last, NoMassMail=opted_out))

    def opt_out(self, contact: str) -> None:
        self.fake.edit("Contact", int(contact), NoMassMail=True)

    def add_supplier(self, email: str | None) -> str:
        return self.fake.add_vendor(email=email)

    def add_order(self, customer: str, lines: Sequence[Line] = (("PUMP-1", "Pump", 2, 50),), **more: Any) -> str:
        return "/".join(self.fake.add_invoice(customer, lines, **more))

    def pay_order(self, key: str) -> None:
        self.fake.edit("SalesInvoice", tuple(key.split("/")), Status="Closed")

    def touch_order(self, key: str) -> None:
        self.fake.edit("SalesInvoice", tuple(key.split("/")), Hold=False)

    def lists_customers(self, request: Request) -> bool:
        """Whether this request asks for a page of customers."""
        return request.method == "GET" and "/Customer" in request.path and "skip" in request.raw_path

    def drop_line(self, key: str) -> None:
        order = self.fake.sales_invoices[tuple(key.split("/"))]
        self.fake.edit("SalesInvoice", tuple(key.split("/")), Details=order["Details"][:-1])


ENDS: dict[str, Callable[..., Any]] = {
    "acumatica": AcumaticaEnd,
    "sage100 agent": Sage100End,
    "sage100 soap": Sage100SoapEnd,
    "sage300": Sage300End,
    "sagex3 rest": SageX3End,
    "sagex3 graphql": SageX3GraphQLEnd,
    "sagex3 graphql 2021": partial(SageX3GraphQLEnd, release="2021"),
    "syspro odata": partial(SysproEnd, api="odata"),
    "syspro enet": partial(SysproEnd, api="enet"),
    "syspro soap": partial(SysproEnd, api="soap"),
}
"""Every ERP there is a story for."""


class World:
    """One pipeline: an ERP, a Mailchimp account, a clock that both share, and the state between them."""

    def __init__(
        self,
        system: str = "acumatica",
        *,
        state: StateStore | None = None,
        mailchimp: dict[str, Any] | None = None,
        **erp: Any,
    ) -> None:
        self.clock = FakeClock(START)
        self.erp = ENDS[system](self.clock, **erp)
        self.mailchimp = FakeMailchimp(clock=self.clock, **(mailchimp or {}))
        self.state = state or MemoryStateStore()
        self.events: list[Any] = []
        self._engines: list[SyncEngine] = []

    def __enter__(self) -> Self:
        self.erp.fake.start()
        self.mailchimp.start()
        return self

    def __exit__(self, *exc: object) -> None:
        for engine in self._engines:
            engine.close()
        self.erp.fake.stop()
        self.mailchimp.stop()

    def sink(self, *, key: str | None = None, **settings: Any) -> MailchimpSink:
        settings = {
            "list_id": self.mailchimp.list_id,
            "store": Store(id="acme", name="Acme", currency_code="USD"),
            "retry": RetryPolicy.immediate(),
            "base_url": self.mailchimp.base_url,
            **settings,
        }
        return MailchimpSink(key or self.mailchimp.api_key, **settings)

    def engine(self, *, source: Any = None, sink: Any = None, **settings: Any) -> SyncEngine:
        settings = {
            "state": self.state,
            "name": "acme",
            "clock": self.clock,
            "on_event": self.events.append,
            **settings,
        }
        engine = SyncEngine(source or self.erp.source(), sink or self.sink(), **settings)
        self._engines.append(engine)
        return engine

    def run(self, *, streams: Any = None, full: bool = False, later: float = 60, **settings: Any) -> Any:
        """Let an hour pass, then run once, as a scheduler would."""
        self.clock.advance(minutes=later)
        with self.engine(**settings) as engine:
            return engine.run(streams, full=full)

    @property
    def people(self) -> list[str]:
        """The streams of people that this ERP has."""
        return ["customers", "contacts", *(["suppliers"] if getattr(self.erp, "has_suppliers", True) else [])]

    def status(self, email: str) -> str | None:
        member = self.mailchimp.members.get(email)
        return member.status if member is not None else None

    @property
    def writes(self) -> list[str]:
        """Every write call Mailchimp got, as method and path."""
        return [f"{entry.method} {entry.path}" for entry in self.mailchimp.writes]
