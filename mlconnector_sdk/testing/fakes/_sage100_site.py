"""One Sage 100 installation: its companies and their tables, users, locks, licences and switches.

What `FakeSage100` serves through SOAP and what a business object over it sees is the same data under the same rules.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import TypeAlias
from zoneinfo import ZoneInfo

from ._sage100_data import Key, Stamps, Table
from ._sage100_tables import LAYOUTS, SYSTEM_TABLES, Column, column_of

__all__ = ["MAINTENANCE", "RIGHTS", "Company", "Sage100Site", "Udfs", "User"]

Udfs: TypeAlias = Mapping[str, Mapping[str, str]]
"""Columns of the site's own by table: `{"AR_Customer": {"UDF_DO_NOT_EMAIL": "Y/N"}}`; see `column_of`."""

RIGHTS = ("View", "Create", "Modify", "Remove")
MAINTENANCE = "The administrator is currently maintaining the system. Try again later."
"""What every logon is told while `instlock` is set."""

_NUMBERED = {"AR_Customer": 7, "AP_Vendor": 7, "SO_SalesOrderHeader": 7, "AR_InvoiceHistoryHeader": 7, "GL_Account": 9}

_CODES = {
    "ZipCode": "53205-1204 60601 98033 78701-1234 02108",
    "CountryCode": "USA CAN MEX GBR DEU FRA ESP POL JPN CHN ARE IRL BRA NOR KOR IND",
    "SalespersonNo": "0100 0200",
    "TermsCode": "00 01 02",
}


class User:
    """A user of User Maintenance, kept as a row of `SY_User`; roles forbid what `deny` says, and nothing else."""

    def __init__(self, table: Table, key: str, password: str) -> None:
        self._table = table
        self.key = key
        """The value of `UserCreatedKey` and `UserUpdatedKey`: ten digits."""
        self.password = password
        self.failures = 0
        """Wrong passwords in a row."""
        self._denied: set[tuple[str, str]] = set()

    @property
    def logon(self) -> str:
        return str(self._table.rows[self.key,]["UserLogon"])

    @property
    def code(self) -> str:
        return str(self._table.rows[self.key,]["UserCode"])

    @property
    def active(self) -> bool:
        return self._flag("Active")

    @active.setter
    def active(self, value: bool) -> None:
        self._set_flag("Active", value=value)

    @property
    def locked(self) -> bool:
        return self._flag("Locked")

    @locked.setter
    def locked(self, value: bool) -> None:
        self._set_flag("Locked", value=value)

    @property
    def web_services(self) -> bool:
        """The check box "Enable Web Services" of User Maintenance."""
        return self._flag("EnableWebServicesForUser")

    @web_services.setter
    def web_services(self, value: bool) -> None:
        self._set_flag("EnableWebServicesForUser", value=value)

    def _flag(self, column: str) -> bool:
        return bool(self._table.rows[self.key,][column] == "Y")

    def _set_flag(self, column: str, *, value: bool) -> None:
        self._table.put((self.key,), {column: "Y" if value else "N"})

    def deny(self, task: str, *rights: str) -> None:
        """Take rights on a task such as `AR_Customer_ui` away; all of `RIGHTS` if none is named."""
        self._denied |= {(task, right) for right in rights or RIGHTS}

    def allow(self, task: str, *rights: str) -> None:
        """Give rights on a task back; all of `RIGHTS` if none is named."""
        self._denied -= {(task, right) for right in rights or RIGHTS}

    def may(self, task: str, right: str = "View") -> bool:
        return (task, right) not in self._denied

    def may_open(self, task: str) -> bool:
        """Whether the role has any right on the task."""
        return any(self.may(task, right) for right in RIGHTS)


class Company:
    """One company: a database of its own. `tables` has the tables of the system database as well.

    Attributes:
        web_services: web services are enabled in Company Maintenance.
        external_access: the company allows access from outside, which business objects need.
        retains_history: sales orders are kept in history, from their entry on.
        codes: what validation tables hold, by the column that refers to them: `codes["ZipCode"].add("60601")`.
    """

    def __init__(self, code: str, name: str, stamps: Stamps, system: Mapping[str, Table], udfs: Udfs) -> None:
        self.code = code
        self.name = name
        self.web_services = True
        self.external_access = True
        self.retains_history = True
        self.codes: dict[str, set[str]] = {name: set(known.split()) for name, known in _CODES.items()}
        self.tables: dict[str, Table] = {
            title: Table(layout, stamps) for title, layout in LAYOUTS.items() if title not in SYSTEM_TABLES
        } | dict(system)
        self.locks: dict[tuple[str, Key], str] = {}
        self._stamps = stamps
        self._numbers: dict[str, int] = {}
        for table, columns in udfs.items():
            self.add_columns(table, *(column_of(title, kind) for title, kind in columns.items()))

    def now(self) -> datetime:
        """The server's wall clock, naive."""
        return self._stamps.clock()

    def add_columns(self, table: str, *columns: Column) -> None:
        """Add columns of the site's own, as Custom Office does; what stands in the table has blanks there."""
        for column in columns:
            self.tables[table].add_column(column)

    def lock(self, table: str, key: Key, by: str = "MARY") -> bool:
        """Take a record for editing; false if somebody else has it."""
        return self.locks.setdefault((table, key), by) == by

    def unlock(self, table: str, key: Key) -> None:
        """Let a record go, whoever has it."""
        self.locks.pop((table, key), None)

    def holder(self, table: str, key: Key) -> str | None:
        """Who has the record open for editing."""
        return self.locks.get((table, key))

    def next_number(self, table: str) -> str:
        """Hand out the next number of a numbered table; it is used up, whether a record follows or not."""
        number = self._numbers.get(table, 0)
        while True:
            number += 1
            text = f"{number:0{_NUMBERED[table]}d}"
            if not self._is_taken(self.tables[table], text):
                self._numbers[table] = number
                return text

    def _is_taken(self, table: Table, number: str) -> bool:
        """Whether a record has the number, in whatever division."""
        if table.key[0].endswith("DivisionNo"):
            return any((f"{division:02d}", number) in table.rows for division in range(100))
        return bool(table.starting_with(number))


class Sage100Site:
    """All companies of an installation, and who may use them.

    Args:
        clock: the present, aware; stamps are its wall-clock time in `timezone`, and carry no zone.
        timezone: IANA name of the server's zone.
        companies: codes of three capital letters or digits.
        udfs: columns of the site's own in every company.
        seats: user licences; each logged-on business object session takes one.

    Attributes:
        companies: by code.
        tables: `SY_Company` and `SY_User` of the system database.
        users: by logon.
        instlock: `instlock.txt` lies in the folder `Home`: nobody can log on.
        web_services: web services are enabled in System Configuration.
        lock_after: wrong passwords in a row after which the user is locked; `None` is never. Not established.
        stamps: how changes are stamped.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], datetime] | None = None,
        timezone: str = "America/Chicago",
        companies: Iterable[str] = ("ABC",),
        udfs: Udfs | None = None,
        seats: int = 5,
    ) -> None:
        self.clock = clock or _utc_now
        self.timezone = timezone
        self.zone = ZoneInfo(timezone)
        self.stamps = Stamps(self.local)
        self.tables = {name: Table(LAYOUTS[name], self.stamps) for name in SYSTEM_TABLES}
        self.companies: dict[str, Company] = {}
        self.users: dict[str, User] = {}
        self.seats = seats
        self.seated: list[object] = []
        self.instlock = False
        self.web_services = True
        self.lock_after: int | None = 5
        self._udfs = udfs or {}
        for code in companies:
            self.add_company(code)

    def local(self) -> datetime:
        """The server's wall clock, naive."""
        return self.clock().astimezone(self.zone).replace(tzinfo=None)

    def add_company(self, code: str, name: str = "") -> Company:
        """Set up an empty company.

        Raises:
            ValueError: the code is not three capital letters or digits.
        """
        if len(code) != 3 or not code.isascii() or not code.isalnum() or code != code.upper():
            raise ValueError(f"{code!r} is no company code: it has three capital letters or digits")
        company = Company(code, name or f"Company {code}", self.stamps, self.tables, self._udfs)
        self.companies[code] = company
        self.tables["SY_Company"].put((code,), {"CompanyName": company.name})
        return company

    def add_user(
        self, logon: str, password: str, *, code: str | None = None, key: str | None = None, web_services: bool = True
    ) -> User:
        """Set up a user who may do everything; `deny` takes rights away."""
        number = key or f"{len(self.users) + 2:010d}"
        flags = {
            "Active": "Y",
            "Locked": "N",
            "External": "N",
            "EnableWebServicesForUser": "Y" if web_services else "N",
        }
        values = {"UserLogon": logon, "UserCode": code or f"U{len(self.users) + 1:02d}", **flags}
        self.tables["SY_User"].put((number,), values)
        user = self.users[logon] = User(self.tables["SY_User"], number, password)
        return user

    def authenticate(self, logon: str, password: str) -> User | None:
        """The user who logs on with this password; wrong ones are counted, and may lock the user."""
        user = self.users.get(logon)
        if user is None or not user.active or user.locked:
            return None
        if user.password != password:
            user.failures += 1
            if self.lock_after is not None and user.failures >= self.lock_after:
                user.locked = True
            return None
        user.failures = 0
        return user

    def take_seat(self, session: object) -> bool:
        """Give a session one of the licences; false if all are taken."""
        if session in self.seated:
            return True
        if len(self.seated) >= self.seats:
            return False
        self.seated.append(session)
        return True

    def leave_seat(self, session: object) -> None:
        """Take the licence back from a session that ended."""
        if session in self.seated:
            self.seated.remove(session)


def _utc_now() -> datetime:
    return datetime.now(UTC)
