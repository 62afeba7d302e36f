"""Tables of a Sage X3 folder as this fake keeps them: field codes, types, lengths, occurrences and keys.

A definition is a list of `CODE:type`: `35` is a text of 35 characters, `m` a local menu, `i` a whole number, `a` an
amount, `d` a day, `t` a moment, `u` a UUID; `x5` behind it says five occurrences, a star marks the columns of the key.
Every table also has the technical columns of `STAMPS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Literal, TypeAlias
from uuid import UUID

import attrs

__all__ = ["PARTNER", "STAMPS", "TABLES", "Column", "Kind", "Table"]

Kind: TypeAlias = Literal["text", "menu", "int", "amount", "day", "moment", "uuid"]

PARTNER = 1
"""`BPATYP` of addresses and contacts that belong to a business partner."""

STAMPS = ("CREUSR", "UPDUSR", "CREDAT", "UPDDAT", "CREDATTIM", "UPDDATTIM", "UPDTICK", "AUUID")

_KINDS: Mapping[str, Kind] = {"m": "menu", "i": "int", "a": "amount", "d": "day", "t": "moment", "u": "uuid"}
_BLANKS: Mapping[Kind, Any] = {"text": "", "menu": 0, "int": 0, "amount": Decimal(0)}


@attrs.frozen
class Column:
    """One field: `size` is the length of a text; `count` says how often it occurs in a row."""

    name: str
    kind: Kind
    size: int = 0
    count: int = 1
    key: bool = False

    @property
    def blank(self) -> Any:
        """What a field holds that was never filled in: no nulls but for days, moments and UUIDs."""
        one = _BLANKS.get(self.kind)
        return one if self.count == 1 else (one,) * self.count

    def stored(self, value: Any) -> Any:
        """The value as rows keep it: a tuple of all occurrences if there are several, blank ones at the end.

        Raises:
            ValueError: a text that is too long, too many occurrences, or a value of another kind.
        """
        if self.count == 1:
            return self._one(value)
        given = [value] if isinstance(value, str) or not isinstance(value, Iterable) else list(value)
        if len(given) > self.count:
            raise ValueError(f"{self.name} occurs {self.count} times, not {len(given)}")
        return (*(self._one(one) for one in given), *self.blank[len(given) :])

    def _one(self, value: Any) -> Any:
        if value is None:
            return _BLANKS.get(self.kind)
        if self.kind == "text":
            return self._text(value)
        if self.kind in {"menu", "int"}:
            return int(value)
        return _TYPED[self.kind](self.name, value)

    def _text(self, value: Any) -> str:
        text: str = _of_type(self.name, value, str)
        if len(text) > self.size:
            raise ValueError(f"{self.name} holds {self.size} characters, not {len(text)}")
        return text


def _of_type(name: str, value: Any, kind: type) -> Any:
    if not isinstance(value, kind):
        raise ValueError(f"{name} takes a {kind.__name__}, not a {type(value).__name__}")
    return value


def _as_amount(name: str, value: Any) -> Decimal:
    return value if type(value) is Decimal else Decimal(str(value))


def _as_day(name: str, value: Any) -> date:
    day: date = value.date() if isinstance(value, datetime) else _of_type(name, value, date)
    return day


def _as_moment(name: str, value: Any) -> datetime:
    moment: datetime = _of_type(name, value, datetime)
    if moment.tzinfo is None:
        raise ValueError(f"{name} takes a moment with its zone, as X3 keeps it in UTC")
    return moment.astimezone(UTC).replace(microsecond=0)


def _as_uuid(name: str, value: Any) -> UUID:
    number: UUID = _of_type(name, value, UUID)
    return number


_TYPED: Mapping[Kind, Callable[[str, Any], Any]] = {
    "amount": _as_amount,
    "day": _as_day,
    "moment": _as_moment,
    "uuid": _as_uuid,
}


@attrs.frozen
class Table:
    """A table and its columns by field code, in the order of its definition.

    Attributes:
        header: the table of the documents whose lines these are; the first key column holds the document's key.
        keys: the columns of the key.
    """

    name: str
    columns: Mapping[str, Column]
    header: str | None = None
    keys: tuple[str, ...] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "keys", tuple(name for name, column in self.columns.items() if column.key))

    def column(self, name: str) -> Column:
        """The column of that field code.

        Raises:
            ValueError: there is none.
        """
        if name not in self.columns:
            raise ValueError(f"{self.name} has no column {name}")
        return self.columns[name]

    def stored(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Values as rows keep them.

        Raises:
            ValueError: a code that the table does not have, or a value that does not fit.
        """
        columns = self.columns
        found: dict[str, Any] = {}
        for name, value in values.items():
            column = columns.get(name) or self.column(name)
            # A large site has millions of short texts: those that fit go in as they are.
            plain = type(value) is str and column.count == 1 and column.kind == "text" and len(value) <= column.size
            found[name] = value if plain else column.stored(value)
        return found


def _column(name: str, definition: str) -> Column:
    text = definition.rstrip("*")
    kind, _, count = text.partition("x")
    times = int(count or 1)
    if kind in _KINDS:
        return Column(name, _KINDS[kind], 0, times, definition.endswith("*"))
    return Column(name, "text", int(kind), times, definition.endswith("*"))


_TECHNICAL = "CREUSR:5 UPDUSR:5 CREDAT:d UPDDAT:d CREDATTIM:t UPDDATTIM:t UPDTICK:i AUUID:u"

_CUSTOMER = """
    BPCNUM:15* BPCNAM:35 BPCSHO:10 BCGCOD:5 GRP:5 BPCTYP:m BPCINV:15 BPAINV:5 BPCPYR:15 BPAPYR:5 BPCGRU:15 BPCRSK:15
    BPAADD:5 BPDADD:5 CNTNAM:35 BPCSTA:m PPTFLG:m BPCBPSNUM:15 FCTNUM:15 CUR:3 CHGTYP:m COMCAT:m REP:15x2 VACBPR:5
    PTE:15 FREINV:m DEP:5 TSCCOD:20x5 PRITYP:m BPCREM:250 OSTCTL:m OSTAUZ:a ORDMINAMT:a ACCCOD:10 ORDFIRDAT:d
    QUOLASDAT:d CNTFIRDAT:d CNTLASDAT:d ABCCLS:m BPCSNCDAT:d EXPNUM:i
"""
_PARTNER = """
    BPRNUM:15* ENAFLG:m BRGCOD:5 BRGOBJ:3 BPRNAM:35x2 BPRSHO:10 EECNUM:20 FCY:5 CRY:3 CRN:20 CUR:3 LAN:3 BPRLOG:10
    GRUGPY:5 BPCFLG:m BPSFLG:m CCNFLG:m BPTFLG:m FCTFLG:m REPFLG:m BPRACC:m PPTFLG:m PRVFLG:m ACCCOD:10 BPAADD:5
    CNTNAM:35 BIDNUM:30 BIDCRY:3 EXPNUM:i BPRFBDMAG:m LEGETT:m
"""
_ADDRESS = """
    BPATYP:m* BPANUM:15* BPAADD:5* BPADES:30 BPABID:30 BPAADDFLG:m BPAADDLIG:50x3 POSCOD:10 CTY:40 SAT:35 CRY:3
    CRYNAM:40 TEL:40x5 FAX:40 MOB:40 WEB:80x5 FCYWEB:250 EXTNUM:30 EXPNUM:i
"""
# The physical names of the two contact tables are not established; the person's are those of the contact screen.
_CONTACT = """
    BPATYP:m* BPANUM:15* CCNCRM:15* CNTFLG:m CNTADD:5 CNTFNC:m CNTSRV:30 CNTMSS:m TEL:40 FAX:40 MOB:40 WEB:80
"""
_PERSON = """
    CCNCRM:15* CNTTTL:m CNTLNA:35 CNTFNA:20 CNTFULNAM:60 CNTCRY:3 CNTLAN:3 CNTCSP:m CNTBIR:d CNTTEL:40 CNTFAX:40
    CNTMOB:40 CNTWEB:80 CNTFBDMAG:m
"""
_SUPPLIER = """
    BPSNUM:15* BPSNAM:35 BPSSHO:10 BPSTYP:m BSGCOD:5 BPRPAY:15 BPAPAY:5 BPSINV:15 BPAINV:5 BPSGRU:15 BPSRSK:15
    BPCNUMBPS:15 BPTNUM:15 CNTNAM:35 ABCCLS:m CUR:3 CHGTYP:m PTE:15 DEP:5 VACBPR:5 TSSCOD:20x5 ACCCOD:10 BPAADD:5
    ORDMINAMT:a OSTCTL:m BPSREM:250 ENAFLG:m EXPNUM:i
"""
_ORDER = """
    SOHNUM:20* SOHTYP:5 SOHCAT:i SALFCY:5 STOFCY:5 CPY:5 BPCORD:15 BPAORD:5 BPCINV:15 BPAINV:5 BPCPYR:15 BPAPYR:5
    BPCGRU:15 BPAADD:5 CNTNAM:15 CNINAM:15 CNDNAM:15 CUSORDREF:20 ORDDAT:d SHIDAT:d DEMDLVDAT:d VLYDATCON:d CUR:3
    CHGTYP:i CHGRAT:a LAN:3 PTE:15 REP:15x2 BPCNAM:35x2 BPCADDLIG:50x3 BPCPOSCOD:10 BPCCTY:40 BPCSAT:35 BPCCRY:3
    BPCCRYNAM:40 BPINAM:35x2 BPIADDLIG:50x3 BPIPOSCOD:10 BPICTY:40 BPISAT:35 BPICRY:3 BPICRYNAM:40 BPDNAM:35x2
    BPDADDLIG:50x3 BPDPOSCOD:10 BPDCTY:40 BPDSAT:35 BPDCRY:3 BPDCRYNAM:40 PRITYP:i ORDNOT:a ORDATI:a ORDINVNOT:a
    ORDINVATI:a AMTTAX:a LINNBR:i ORDSTA:i ALLSTA:i DLVSTA:i INVSTA:i CDTSTA:i HLDSTA:i LASDLVNUM:20 LASDLVDAT:d
    LASINVNUM:20 LASINVDAT:d TSCCOD:20x5
"""
_ORDER_PRICE = """
    SOHNUM:20* SOPLIN:i* ITMREF:20 ITMDES1:30 BPCORD:15 SALFCY:5 GROPRI:a NETPRI:a NETPRINOT:a NETPRIATI:a
    DISCRGVAL1:a VACITM:5x3
"""
_ORDER_QUANTITY = """
    SOHNUM:20* SOQLIN:i* SOQSEQ:i* ITMREF:20 SAU:3 STU:3 QTY:a QTYSTU:a ALLQTY:a DLVQTY:a INVQTY:a DEMDLVDAT:d
    SHIDAT:d
"""
_INVOICE = """
    NUM:20* SIVTYP:5 INVTYP:m CPY:5 FCY:5 BPR:15 ACCDAT:d CUR:3 RATMLT:ax2 SNS:i AMTNOT:a AMTATI:a STA:m BPRVCR:20
    DES:30x5
"""
_SALES_INVOICE = """
    NUM:20* SALFCY:5 BPCINV:15 BPAINV:5 BPINAM:35x2 BPIADDLIG:50x3 BPIPOSCOD:10 BPICTY:40 BPISAT:35 BPICRY:3
    BPICRYNAM:40 CNINAM:15 BPCORD:15 INVDAT:d CUR:3 CHGRAT:a LAN:3 PTE:15 REP:15x2 INVNOT:a INVATI:a INVSTA:m
    INVREF:30 SIHORINUM:20 LINNBR:i
"""
_INVOICE_LINE = """
    NUM:20* SIDLIN:i* ITMREF:20 ITMDES1:30 QTY:a SAU:3 GROPRI:a NETPRI:a NETPRIATI:a AMTNOTLIN:a AMTATILIN:a
    DISCRGVAL1:a VACITM1:5 SOHNUM:20 SOPLIN:i
"""
_ITEM = "ITMREF:20* ITMDES1:30 ITMDES2:30 ITMDES3:30 ITMSTA:i TCLCOD:5 EANCOD:20 STU:3 SAU:3 PUU:3"
_COUNTRY = "CRY:3* CRYDES:40 ISO:2 ISOA3:3 EECFLG:m LAN:3 CUR:3"

_DEFINITIONS = (
    ("BPCUSTOMER", _CUSTOMER, None),
    ("BPARTNER", _PARTNER, None),
    ("BPADDRESS", _ADDRESS, None),
    ("CONTACT", _CONTACT, None),
    ("CONTACTCRM", _PERSON, None),
    ("BPSUPPLIER", _SUPPLIER, None),
    ("SORDER", _ORDER, None),
    ("SORDERP", _ORDER_PRICE, "SORDER"),
    ("SORDERQ", _ORDER_QUANTITY, "SORDER"),
    ("SINVOICE", _INVOICE, None),
    ("SINVOICEV", _SALES_INVOICE, None),
    ("SINVOICED", _INVOICE_LINE, "SINVOICEV"),
    ("ITMMASTER", _ITEM, None),
    ("TABCOUNTRY", _COUNTRY, None),
)


def _table(name: str, definition: str, header: str | None) -> Table:
    pairs = [part.partition(":") for part in f"{definition} {_TECHNICAL}".split()]
    return Table(name, {code: _column(code, short) for code, _, short in pairs}, header)


TABLES: Mapping[str, Table] = {name: _table(name, text, header) for name, text, header in _DEFINITIONS}
"""Tables by name. Occurrence suffixes of the database (`WEB_0`) are dropped, as both APIs drop them."""
