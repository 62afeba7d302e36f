"""What eBusiness Web Services do for a call: who may, which record, and what is refused. Nothing here knows HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Literal

import attrs

from ._sage100_contracts import CONTRACTS, TABLE_OF, Member
from ._sage100_data import Key, Row
from ._sage100_messages import MasFault, moment_of
from ._sage100_rules import SageRefusal, business_object, check_value, label_of
from ._sage100_site import MAINTENANCE, Company, Sage100Site, User
from ._sage100_tables import Column

__all__ = ["Caller", "Exposed", "Records", "ServiceSetup"]

Blanks = Literal["empty", "nil", "absent"]

_NO_LOGON = (
    "Logon failure: The user logon or password does not match or the user logon is not enabled for web services."
)
_NO_ACCESS = "No Access - you are not authorized to perform this action"
_TASKS = {"Customer": "AR_Customer_ui", "CustomerContact": "AR_CustomerContact_ui", "SalesOrder": "SO_SalesOrder_ui"}
_NAMES = {"Customer": "Customer", "CustomerContact": "Customer Contact", "SalesOrder": "Sales Order"}
_NEEDED = {
    "Customer": ("CustomerName", "SalespersonNo", "PriceLevel"),
    "CustomerContact": ("ContactName",),
    "SalesOrder": ("ARDivisionNo", "CustomerNo"),
}
"""What a record cannot be created without."""


@attrs.define
class Exposed:
    """Which columns of the site's own travel in `OtherFields`, by table, as the configuration utility sets it."""

    columns: dict[str, list[str]] = attrs.field(factory=dict)
    suffix: str = ""
    """`$` behind the names of texts and dates, as business objects have it. Which is true is not established."""

    def name_of(self, column: Column) -> str:
        return f"{column.name}{self.suffix if column.kind != 'number' else ''}"


@attrs.define
class ServiceSetup:
    """How the web service is set up, and what is not established about it.

    Attributes:
        contract_version: what `GetContractInformation` says.
        null_date_time: the value that blanks a date.
        allow_remote_diagnostics: `GetDiagnosticInformation` also answers callers from elsewhere.
        blanks: how blank texts are shown; dates that are blank are nil in any case.
        partial_updates: an update may lack the members that a record cannot be created without.
        lock_text: the fault's text for a record that somebody has open; `{user}` is who.
        company_text: the fault's text for a company that is not there or not enabled; `{company}` is its code.
        internal_host: scheme and host that the description names instead of the caller's, as servers do that know
            themselves by another name.
        numbers_used: numbers handed out by `GetNextCustomerNo` and `GetNextSalesOrderNo`, which are lost if no
            record follows.
    """

    contract_version: int = 5
    null_date_time: datetime = datetime(1753, 1, 1)  # noqa: DTZ001 - the service writes times without zone
    allow_remote_diagnostics: bool = False
    blanks: Blanks = "empty"
    partial_updates: bool = False
    lock_text: str = "The record is in use by {user}."
    company_text: str = "Company {company} does not exist or is not enabled for web services."
    internal_host: str | None = None
    exposed: Exposed = attrs.field(factory=Exposed)
    numbers_used: list[str] = attrs.field(factory=list)


@attrs.frozen
class Caller:
    """Who calls, and for which company."""

    user: User
    company: Company

    @classmethod
    def of(cls, site: Sage100Site, setup: ServiceSetup, sent: Mapping[str, Any]) -> Caller:
        """Who the call says it is.

        Raises:
            MasFault: maintenance, wrong password, a switch that is off at one of the three levels, no such company.
        """
        if site.instlock:
            raise MasFault("Internal", MAINTENANCE)
        logon = sent["logon"] or {}
        user = site.authenticate(logon.get("Username") or "", logon.get("Password") or "")
        if user is None or not user.web_services or not site.web_services:
            raise MasFault("Logon", _NO_LOGON)
        code = sent["companyCode"] or ""
        company = site.companies.get(code)
        if company is None or not company.web_services:
            raise MasFault("Logon", setup.company_text.format(company=code))
        return cls(user, company)

    def need(self, contract: str, right: str) -> None:
        """Refuse unless the caller's role has this right on the record's task."""
        if not self.user.may(_TASKS[contract], right):
            raise MasFault("NoAccess", _NO_ACCESS)


class Records:
    """Reading and writing single records of a company for a caller."""

    def __init__(self, setup: ServiceSetup, caller: Caller) -> None:
        self._setup = setup
        self._caller = caller
        self._company = caller.company

    def find(self, contract: str, key: Key) -> Row:
        """The record, or the fault that there is none."""
        row = self._company.tables[TABLE_OF[contract]].get(key)
        if row is None:
            text = f"{_NAMES[contract]} does not exist."
            raise MasFault("CI_NoKey", text, text, detailed=True)
        return row

    def key_of(self, contract: str, sent: Mapping[str, Any]) -> Key:
        """The key in an object that was sent."""
        names = self._company.tables[TABLE_OF[contract]].key
        return tuple(str(sent[name] or "") for name in names)

    def shown(self, contract: str, row: Row) -> dict[str, Any]:
        """A record's members; those put together of other tables are not among them."""
        found: dict[str, Any] = {}
        for member in CONTRACTS[contract]:
            if member.name == "OtherFields":
                found[member.name] = self._fields(contract, row)
            elif member.stamp:
                found[member.name] = moment_of(row[member.stamp[0]], row[member.stamp[1]])
            elif member.column:
                value = self._value(member, row[member.column])
                if value is not None or self._setup.blanks != "absent" or member.kind != "string":
                    found[member.name] = value
        return found

    def _value(self, member: Member, value: Any) -> Any:
        if member.kind == "dateTime":
            return moment_of(value, "0")
        return None if value == "" and self._setup.blanks != "empty" else value

    def _fields(self, contract: str, row: Row) -> list[dict[str, Any]]:
        table = self._company.tables[TABLE_OF[contract]]
        names = self._setup.exposed.columns.get(TABLE_OF[contract], ())
        columns = [table.columns[name] for name in names if name in table.columns]
        return [{"MasFieldName": self._setup.exposed.name_of(one), "Value": _as_text(row[one.name])} for one in columns]

    # -- writing ------------------------------------------------------------------------------------------------

    def create(self, contract: str, sent: Mapping[str, Any]) -> Key:
        """Store a new record."""
        table = self._company.tables[TABLE_OF[contract]]
        key = self.key_of(contract, sent)
        if not all(key):
            raise self._refused(contract, SageRefusal("CI_NoKey", "The key is incomplete."))
        if table.get(key) is not None:
            text = "Record already exists."
            raise MasFault("WS_AlreadyExists", text, text, detailed=True)
        self._need_members(contract, sent)
        values = self._changes(contract, sent, Row(table.columns, {}))
        table.put(key, values, self._caller.user.key)
        return key

    def update(self, contract: str, sent: Mapping[str, Any]) -> Key:
        """Write what differs from the record; nothing is written, and no stamp moves, where nothing differs."""
        key = self.key_of(contract, sent)
        row = self.find(contract, key)
        self.need_free(contract, key)
        if not self._setup.partial_updates:
            self._need_members(contract, sent)
        if values := self._changes(contract, sent, row):
            self._company.tables[TABLE_OF[contract]].put(key, values, self._caller.user.key)
        return key

    def delete(self, contract: str, key: Key) -> None:
        """Remove a record."""
        self.find(contract, key)
        self.need_free(contract, key)
        self._company.tables[TABLE_OF[contract]].remove(key)

    def need_free(self, contract: str, key: Key) -> None:
        """Refuse what somebody has open for editing."""
        holder = self._company.holder(TABLE_OF[contract], key)
        if holder is not None:
            raise MasFault("Internal", self._setup.lock_text.format(user=holder))

    def _need_members(self, contract: str, sent: Mapping[str, Any]) -> None:
        for name in _NEEDED.get(contract, ()):
            if not sent[name]:
                column = self._company.tables[TABLE_OF[contract]].columns[name]
                raise self._refused(contract, SageRefusal("", f"The {label_of(name)} is required.", column))

    def _changes(self, contract: str, sent: Mapping[str, Any], row: Row) -> dict[str, Any]:
        """The columns that an object sent sets to something else, each checked."""
        table = self._company.tables[TABLE_OF[contract]]
        changes: dict[str, Any] = {}
        for member in CONTRACTS[contract]:
            value = sent[member.name]
            if value is None or member.column in table.key or member.item in {"SalesOrderLine", "SalesOrderPayment"}:
                continue
            if member.name == "OtherFields":
                changes |= self._field_changes(contract, value, row)
            elif member.stamp:
                if value != moment_of(row[member.stamp[0]], row[member.stamp[1]]):
                    column = Column(member.name, "date")
                    raise self._refused(contract, SageRefusal("", f"The {member.name} is read only.", column))
            elif member.column:
                changes |= self._change(contract, table.columns[member.column], self._stored(value), row)
        return changes

    def _stored(self, value: Any) -> Any:
        """A value as its column keeps it; the null date blanks it."""
        if isinstance(value, datetime):
            return "" if value == self._setup.null_date_time else f"{value:%Y%m%d}"
        return value

    def _change(self, contract: str, column: Column, value: Any, row: Row) -> dict[str, Any]:
        current = row[column.name]
        if value == current or (column.kind == "number" and column.stored(value) == current):
            return {}
        try:
            check_value(self._company, TABLE_OF[contract], column, value)
        except SageRefusal as refusal:
            raise self._refused(contract, refusal) from None
        return {column.name: value}

    def _field_changes(self, contract: str, fields: list[dict[str, Any]], row: Row) -> dict[str, Any]:
        table = self._company.tables[TABLE_OF[contract]]
        exposed = self._setup.exposed
        names = exposed.columns.get(TABLE_OF[contract], ())
        known = {exposed.name_of(table.columns[name]): table.columns[name] for name in names if name in table.columns}
        changes: dict[str, Any] = {}
        for field in fields:
            column = known.get(field["MasFieldName"] or "")
            if column is None:
                unknown = Column(str(field["MasFieldName"]), "number")
                raise self._refused(contract, SageRefusal("", "The column is invalid.", unknown))
            if field["Value"] is not None:
                changes |= self._change(contract, column, self._of_text(contract, column, field["Value"]), row)
        return changes

    def _of_text(self, contract: str, column: Column, text: str) -> Any:
        if column.kind != "number":
            return text
        try:
            return Decimal(text)
        except InvalidOperation:
            refusal = SageRefusal("", f"The {label_of(column.name)} is not numeric.", column)
            raise self._refused(contract, refusal) from None

    def _refused(self, contract: str, refusal: SageRefusal) -> MasFault:
        place = f"Could not set {business_object(TABLE_OF[contract])} column "
        text = f"{place}{refusal.column.addressed}: {refusal.reason}" if refusal.column else refusal.reason
        return MasFault(refusal.code or "Internal", text, refusal.reason, detailed=bool(refusal.code))


def _as_text(value: Any) -> str:
    return format(value, "f") if isinstance(value, Decimal) else str(value)
