"""e.net behind both of its doors: sessions, business objects, and what a site is set up with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import attrs

from ._syspro_data import Database
from ._syspro_documents import document
from ._syspro_finder import Finder, browse, fetch
from ._syspro_orders import sales_order
from ._syspro_people import contacts_by_email, contacts_of
from ._syspro_sessions import UNKNOWN_OBJECT, EnetError, Session, Sessions
from ._syspro_text import NullDates, element

__all__ = ["Enet", "EnetSetup"]

_CONTACT_OBJECTS = frozenset({"CMSQRY", "CMSQRC", "CMSQEM"})


@attrs.define(kw_only=True)
class EnetSetup:
    """How a site answers where sites differ, or where the behaviour is not established.

    Attributes:
        version: what `GetVersion` says; its first number and zeros stand in every answer.
        null_dates: how COMFND shows a date that is not there; COMFCH shows zeros.
        row_cap: COMFND returns no more rows than this, silently.
        unlicensed: business objects that answer as if they did not exist.
        hidden_columns: columns that the operator may not see, by table: COMFND leaves them out of its rows.
        contact_key_types: what `KeyType` of CMSQRC means, by the column it names. The codes were not found anywhere.
        browses: the browses configured on the server, with their columns.
    """

    version: str = "8.0.0.6"
    company_name: str = "Outdoors Company"
    currency: str = "USD"
    null_dates: NullDates = "empty"
    row_cap: int | None = None
    contact_management: bool = True
    unlicensed: set[str] = attrs.field(factory=set)
    hidden_columns: dict[str, set[str]] = attrs.field(factory=dict)
    contact_key_types: dict[str, str] = attrs.field(factory=lambda: {"C": "Customer", "S": "Supplier"})
    browses: dict[str, tuple[str, ...]] = attrs.field(factory=lambda: {"ArCustomer": ("Customer", "Name")})

    @property
    def release(self) -> str:
        """The part of the version that business objects share."""
        return ".".join(self.version.split(".")[:2])


class Enet:
    """What REST and SOAP both ask; every method but `log_on` and `version` wants an open session."""

    def __init__(self, base: Database, sessions: Sessions, setup: EnetSetup) -> None:
        self.base = base
        self.sessions = sessions
        self.setup = setup

    def query(self, user_id: str, business_object: str, xml: str) -> str:
        """`Query/Query` of any business object that this site has.

        Raises:
            EnetError: the session is dead, the object is not there, or it refuses the request.
        """
        self.sessions.enter(user_id)
        setup = self.setup
        known: Mapping[str, Callable[[], str]] = {
            "COMFND": lambda: self._finder().find(xml),
            "COMQCO": self._companies,
            "SORQRY": lambda: sales_order(self.base, xml, setup.release),
            "CMSQRC": lambda: contacts_of(self.base, xml, setup.release, setup.contact_key_types),
            "CMSQEM": lambda: contacts_by_email(self.base, xml, setup.release),
        }
        if business_object not in known or not self._licensed(business_object):
            raise EnetError(UNKNOWN_OBJECT)
        return known[business_object]()

    def fetch(self, user_id: str, xml: str) -> str:
        """`Query/Fetch`, always of COMFCH."""
        self.sessions.enter(user_id)
        if not self._licensed("COMFCH"):
            raise EnetError(UNKNOWN_OBJECT)
        return fetch(self.base, xml, self.setup.release, "zeros")

    def browse(self, user_id: str, xml: str) -> str:
        """`Query/Browse`, always of COMBRW."""
        self.sessions.enter(user_id)
        if not self._licensed("COMBRW"):
            raise EnetError(UNKNOWN_OBJECT)
        return browse(self.base, xml, self.setup.release, self.setup.browses)

    def write(self, user_id: str) -> str:
        """Setup and transaction objects: this operator may use none."""
        self.sessions.enter(user_id)
        raise EnetError(UNKNOWN_OBJECT)

    def profile(self, user_id: str) -> str:
        """`GetLogonProfile`: who is logged on to what; the name of its root was not recorded."""
        session = self.sessions.enter(user_id)
        texts = [f"{element(name, text)}\n" for name, text in self._profile(session).items()]
        return document("UserProfile", f"{self.setup.release}.001", texts)

    def _profile(self, session: Session) -> dict[str, Any]:
        setup = self.setup
        return {
            "CompanyName": setup.company_name,
            "OperatorCode": session.operator,
            "OperatorEmailAddress": "",
            "LocalCurrencyCode": setup.currency,
            "DecimalFormat": "1",
            "DateFormat": "01",
            "DatabaseType": "SQL",
            "SysproVersion": setup.version,
            "EnetVersion": setup.version,
        }

    def _finder(self) -> Finder:
        setup = self.setup
        return Finder(
            base=self.base,
            release=setup.release,
            null_dates=setup.null_dates,
            row_cap=setup.row_cap,
            hidden=setup.hidden_columns,
        )

    def _licensed(self, name: str) -> bool:
        return name not in self.setup.unlicensed and (self.setup.contact_management or name not in _CONTACT_OBJECTS)

    def _companies(self) -> str:
        company = self.sessions.account.company
        texts = f"{element('CompanyId', company)}\n{element('CompanyName', self.setup.company_name)}\n"
        return document("Companies", f"{self.setup.release}.009", [f"<Company>\n{texts}</Company>\n"])
