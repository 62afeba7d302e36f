"""The same end through the web services, which must be told, or find out by themselves, which records there are."""

from __future__ import annotations

from typing import Any

from mlconnector_sdk.network import Network
from mlconnector_sdk.protocols import Source
from mlconnector_sdk.retry import RetryPolicy
from mlconnector_sdk.sources.sage100 import Sage100, Sage100Soap
from mlconnector_sdk.testing import FakeClock, Request
from tests.scenarios._sage100_end import NO_MAIL, Sage100End


class Sage100SoapEnd(Sage100End):
    """One company behind its web services; orders are open sales orders.

    Numbered customers and orders are found by their numbers. Whoever has a key of letters, or is a further contact of
    a customer, is named by the caller.

    Attributes:
        has_suppliers: the web services know none.
    """

    has_suppliers = False

    def __init__(self, clock: FakeClock, **options: Any) -> None:
        super().__init__(clock, **options)
        self._told: dict[str, list[str]] = {"customers": [], "contacts": []}

    def source(
        self,
        *,
        kind: type[Sage100] = Sage100,
        password: str | None = None,
        network: Network = Network(),
        **settings: Any,
    ) -> Source:
        settings = {
            "timezone": self.fake.site.timezone,
            "optout_field": {"customers": NO_MAIL, "contacts": NO_MAIL},
            "retry": RetryPolicy.immediate(),
            **settings,
        }
        api = Sage100Soap(
            self.fake.wsdl_url,
            username=self.fake.user.logon,
            password=password or self.fake.user.password,
            keys={"customers": lambda: self._told["customers"], "contacts": lambda: self._told["contacts"]},
            first_order="0000001",
            first_customers=["00-0000001"],
            gap=5,
            network=network,
        )
        return kind(company="ABC", api=api, **settings)

    def add_customer(
        self, email: str | None, *, name: str = "Harbor Pumps", key: str | None = None, inactive: bool = False
    ) -> str:
        found = super().add_customer(email, name=name, key=key, inactive=inactive)
        if key is not None:
            self._told["customers"].append(found)
        return found

    def add_contact(self, email: str | None, **settings: Any) -> str:
        found = super().add_contact(email, **settings)
        self._told["contacts"].append(found)
        return found

    def pay_order(self, key: str) -> None:
        """Open orders know nothing of payments, and a completed one is not there any more."""
        self.touch_order(key)

    def lists_customers(self, request: Request) -> bool:
        """Whether this request asks for a customer."""
        return b"GetCustomer>" in request.body
