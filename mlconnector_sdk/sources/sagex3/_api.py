"""What is read of Sage X3, and what the source needs of an API: one vocabulary for api1 and GraphQL.

Rows are keyed by X3's own field codes (`BPCNUM`, `UPDDATTIM`). Those of a table beside the row's own carry its name:
`BPADDRESS.WEB`, `CONTACTCRM.CNTWEB`. A field that occurs several times is a list, or comes in one of the forms that
`_records` understands. Local menus are X3's numbers (1 = No, 2 = Yes) or booleans; what a row does not know is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Literal, Protocol, TypeAlias

import attrs

from ...errors import ContractError
from ...retry import RetryPolicy
from .. import _base
from .._values import Row

__all__ = [
    "ADDRESSES",
    "CONTACTS",
    "CUSTOMERS",
    "ENTITIES",
    "INVOICES",
    "PARTNER",
    "PARTNERS",
    "PERSONS",
    "SALES_ORDERS",
    "STAMPS",
    "SUPPLIERS",
    "SYSTEM",
    "Condition",
    "Connection",
    "Entity",
    "EntityName",
    "Greeting",
    "Join",
    "Known",
    "Question",
    "RefusedQuestionError",
    "StampKind",
]

SYSTEM = "sagex3"

STAMPS = ("UPDDATTIM", "UPDDAT")
"""What tells changed rows, the best first: a moment in UTC (GraphQL: `_updateStamp`), and the older calendar day."""

PARTNER = 1
"""`BPATYP` of addresses and contacts that belong to a business partner."""

EntityName: TypeAlias = Literal[
    "customers", "contacts", "suppliers", "invoices", "sales_orders", "partners", "addresses", "persons"
]
StampKind: TypeAlias = Literal["moment", "day"]
Condition: TypeAlias = Mapping[str, str | int]
"""Fields and the values they must have, all of them."""


class RefusedQuestionError(ContractError):
    """The API does not filter or sort this entity by this stamp: ask for less."""

    default_reason = "refused_question"


@attrs.frozen(kw_only=True)
class Join:
    """One row of another table that belongs to each row of an entity.

    Attributes:
        on: the other table's key columns, and where their values come from: a field of ours, or a fixed number.
        fields: what we read of it; in rows they are called `TABLE.FIELD`.
        marks: fields of it that, all present in the entity's own rows, make reading it unnecessary.
        vital: worth reading each record by its key, where lists do not say which row belongs to it.
    """

    table: str
    on: Mapping[str, str | int]
    fields: tuple[str, ...]
    marks: tuple[str, ...]
    vital: bool = True


@attrs.frozen(kw_only=True)
class Entity:
    """A table as it is read.

    Attributes:
        name: what settings call it.
        needed: fields that must be there, and what to do when they are not. A field that several names serve is
            written with bars: `BPRFBDMAG|BPARTNER.BPRFBDMAG`.
        fields: what we would like of its own; what a site does not show is left out.
        vital: those that are worth reading each record by its key, where lists do not have them.
        lines: the name of the rows of a document, and what we read of each; they come as a list of that name.
        stamps: fields that tell changed rows, the best first.
    """

    name: EntityName
    table: str
    keys: tuple[str, ...]
    needed: Mapping[str, str] = attrs.field(factory=dict)
    fields: tuple[str, ...] = ()
    vital: tuple[str, ...] = ()
    joins: tuple[Join, ...] = ()
    lines: tuple[str, tuple[str, ...]] = ("", ())
    stamps: tuple[str, ...] = STAMPS

    def with_fields(self, *names: str) -> Entity:
        """The same entity with further fields that must be there; those with a point go to the table beside it."""
        cure = "check optout_field, custom_fields and statuses"
        return attrs.evolve(self, needed={**dict.fromkeys(names, cure), **self.needed})


@attrs.frozen(kw_only=True)
class Known:
    """What a site shows of an entity.

    Attributes:
        fields: of rows as `completed` gives them, joined ones included; `None` where the API does not tell.
        stamps: those of the entity's stamps that rows of a list have, with what they hold.
        note: how it is read, for people: `"BPCUSTOMER/YMCBPC"`.
    """

    fields: frozenset[str] | None = None
    stamps: Mapping[str, StampKind] = attrs.field(factory=dict)
    note: str = ""


@attrs.frozen(kw_only=True)
class Question:
    """Which rows of an entity are wanted, and in which order.

    Attributes:
        way: every row (`"all"`), those with a stamp of `since` or later (`"since"`), or every row with the latest stamp
            first (`"latest"`).
        since: a moment in UTC or a calendar day, as the stamp's kind is.
    """

    way: Literal["all", "since", "latest"] = "all"
    stamp: str = ""
    since: datetime | date | None = None


@attrs.frozen(kw_only=True)
class Greeting:
    """Something `check` tries before any stream: `attempt` says what it found, or raises."""

    what: str
    attempt: Callable[[RetryPolicy], str]
    cure: str = ""


class Connection(_base.Connection, Protocol):
    """One folder through one of the APIs."""

    def greet(self) -> Iterator[Greeting]:
        """What `check` tries before any stream: address, sign-in."""
        ...

    def now(self, *, retry: RetryPolicy | None = None) -> datetime:
        """The server's clock, aware UTC.

        Raises:
            ContractError: it does not tell the time.
        """
        ...

    def known(self, entity: Entity, *, retry: RetryPolicy | None = None) -> Known:
        """What there is to read of an entity; asked for once, then remembered.

        Raises:
            ContractError: the site has no such entity; the message says what to check.
            PermissionDeniedError: no right to it.
        """
        ...

    def pages(self, entity: Entity, question: Question = Question()) -> Iterator[list[Row]]:
        """The rows asked for, in pages, as a list gives them: with keys and stamps, and maybe little else.

        A row that stays where it is throughout comes once at least.

        Raises:
            RefusedQuestionError: the API does not filter or sort by that stamp. Raised before the first page; never
                for the way `"all"`.
        """
        ...

    def matching(self, entity: Entity, conditions: Sequence[Condition]) -> Iterator[list[Row]]:
        """The rows that meet one of the conditions, as a list gives them; any number of conditions."""
        ...

    def completed(self, entity: Entity, rows: Sequence[Row]) -> list[Row]:
        """The rows with everything there is of `fields` and `joins`; those gone meanwhile are absent."""
        ...

    def sample(self, entity: Entity, *, retry: RetryPolicy | None = None) -> list[Row]:
        """One completed row at most, to see whether the entity can be read."""
        ...


_ADDRESS = ("BPAADDLIG", "POSCOD", "CTY", "SAT", "CRY", "TEL", "WEB")
_PERSON = ("CNTFNA", "CNTLNA", "CNTLAN", "CNTCRY", "CNTTEL", "CNTMOB", "CNTWEB", "CNTFBDMAG")
_PERSON_MARKS = ("CNTWEB", "CNTFBDMAG")
_RELATION = ("CNTFNC", "CNTSRV", "TEL", "MOB", "WEB")
_MAILING = (
    "put it on the representation or grant the right to it: it says who must not be mailed. mailing_flags=False does "
    "without"
)


def _party_joins(key: str) -> tuple[Join, ...]:
    return (
        Join(table="BPARTNER", on={"BPRNUM": key}, fields=("BPRNAM", "LAN", "CRY", "BPRFBDMAG"), marks=("BPRFBDMAG",)),
        Join(
            table="BPADDRESS",
            on={"BPATYP": PARTNER, "BPANUM": key, "BPAADD": "BPAADD"},
            fields=_ADDRESS,
            marks=("WEB",),
        ),
        Join(
            table="CONTACT",
            on={"BPATYP": PARTNER, "BPANUM": key, "CCNCRM": "CNTNAM"},
            fields=_RELATION,
            marks=("CNTWEB",),
        ),
        Join(table="CONTACTCRM", on={"CCNCRM": "CNTNAM"}, fields=_PERSON, marks=_PERSON_MARKS),
    )


def _contact_of(field: str) -> Join:
    """The person a document names: a customer of many, such as a web shop's, has no address of its own."""
    return Join(table="CONTACTCRM", on={"CCNCRM": field}, fields=("CNTWEB",), marks=("CNTWEB",), vital=False)


CUSTOMERS = Entity(
    name="customers",
    table="BPCUSTOMER",
    keys=("BPCNUM",),
    needed={"BPARTNER.BPRFBDMAG|BPRFBDMAG": _MAILING},
    vital=("BPCSTA",),
    fields=("BPCNAM", "BPCSTA", "BCGCOD", "CUR", "OSTCTL", "BPAADD", "CNTNAM"),
    joins=_party_joins("BPCNUM"),
)
SUPPLIERS = Entity(
    name="suppliers",
    table="BPSUPPLIER",
    keys=("BPSNUM",),
    needed={"BPARTNER.BPRFBDMAG|BPRFBDMAG": _MAILING},
    vital=("ENAFLG",),
    fields=("BPSNAM", "ENAFLG", "BSGCOD", "CUR", "BPAADD", "CNTNAM"),
    joins=_party_joins("BPSNUM"),
)
CONTACTS = Entity(
    name="contacts",
    table="CONTACT",
    keys=("BPATYP", "BPANUM", "CCNCRM"),
    needed={"CONTACTCRM.CNTFBDMAG|CNTFBDMAG": _MAILING},
    fields=_RELATION,
    joins=(Join(table="CONTACTCRM", on={"CCNCRM": "CCNCRM"}, fields=_PERSON, marks=_PERSON_MARKS),),
)
INVOICES = Entity(
    name="invoices",
    table="SINVOICEV",
    keys=("NUM",),
    fields=(
        *("BPCINV", "BPINAM", "BPIADDLIG", "BPIPOSCOD", "BPICTY", "BPISAT", "BPICRY", "INVDAT", "CUR"),
        *("INVNOT", "INVATI", "INVSTA", "INVTYP", "SIVTYP", "SNS"),
    ),
    needed={"SNS|SINVOICE.SNS|INVTYP|SINVOICE.INVTYP": "it tells credit notes from invoices"},
    vital=("INVDAT", "CUR", "INVNOT", "INVATI", "INVSTA"),
    joins=(
        Join(table="SINVOICE", on={"NUM": "NUM"}, fields=("SNS", "INVTYP", "SIVTYP"), marks=("SNS",)),
        _contact_of("CNINAM"),
    ),
    lines=(
        "SINVOICED",
        ("SIDLIN", "ITMREF", "ITMDES1", "QTY", "GROPRI", "NETPRI", "NETPRIATI", "AMTNOTLIN", "AMTATILIN"),
    ),
)
SALES_ORDERS = Entity(
    name="sales_orders",
    table="SORDER",
    keys=("SOHNUM",),
    fields=(
        *("SOHTYP", "SOHCAT", "BPCORD", "BPCNAM", "BPCADDLIG", "BPCPOSCOD", "BPCCTY", "BPCSAT", "BPCCRY", "ORDDAT"),
        *("CUR", "ORDNOT", "ORDATI", "ORDSTA", "DLVSTA", "INVSTA"),
    ),
    vital=("ORDDAT", "CUR", "ORDNOT", "ORDATI", "ORDSTA"),
    joins=(_contact_of("CNTNAM"),),
    lines=("SOHSOP", ("SOPLIN", "ITMREF", "ITMDES1", "QTY", "GROPRI", "NETPRI", "NETPRINOT", "NETPRIATI")),
)
# Editing one of these moves its own stamp, and not that of the customer, supplier or contact it belongs to.
PARTNERS = Entity(name="partners", table="BPARTNER", keys=("BPRNUM",))
ADDRESSES = Entity(name="addresses", table="BPADDRESS", keys=("BPATYP", "BPANUM", "BPAADD"))
PERSONS = Entity(name="persons", table="CONTACTCRM", keys=("CCNCRM",))

ENTITIES: Mapping[EntityName, Entity] = {
    entity.name: entity
    for entity in (CUSTOMERS, CONTACTS, SUPPLIERS, INVOICES, SALES_ORDERS, PARTNERS, ADDRESSES, PERSONS)
}
"""Every table that is read, for settings that name them."""
