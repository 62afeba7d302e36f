"""The session object of a fake Business Object Interface: who, where, when and in which program."""

from __future__ import annotations

import weakref

from ._sage100_com_calls import ComObject, Link, answered, com_error, is_day
from ._sage100_com_catalog import MODULES, TASKS, BusinessObject
from ._sage100_site import Company, User

__all__ = ["Session"]


class Session(ComObject):
    """What `NewObject("SY_Session")` returns.

    A logged-on session sits on one of the site's licences until `nCleanup`, or until nobody holds it any more.
    """

    def __init__(self, link: Link) -> None:
        super().__init__(link)
        self._user: User | None = None
        self._company: Company | None = None
        self._dates: dict[str, str] = {}
        self._module: str | None = None
        self._task: str | None = None
        self._seat = object()
        weakref.finalize(self, link.site.leave_seat, self._seat)

    @answered()
    def nLogon(self) -> int:
        return self._refuse(self._texts.maintenance) if self._link.site.instlock else 1

    @answered()
    def nSetUser(self, user: str, password: str) -> int:
        site = self._link.site
        if site.instlock:
            return self._refuse(self._texts.maintenance)
        known = site.authenticate(user, password)
        if known is None:
            return self._refuse(self._texts.bad_logon)
        if not site.take_seat(self._seat):
            return self._refuse(self._texts.no_licence)
        self._user = known
        return 1

    @answered()
    def nSetCompany(self, code: str) -> int:
        company = self._link.site.companies.get(code)
        if self._user is None:
            return self._refuse(self._texts.no_context)
        if company is None:
            return self._refuse(self._texts.no_company)
        if self._company not in {None, company}:
            return self._refuse(self._texts.one_company)
        if not company.external_access:
            return self._refuse(self._texts.no_external_access)
        self._company = company
        return 1

    @answered()
    def nSetDate(self, module: str, date: str) -> int:
        """Set the module date; a text of eight digits, `YYYYMMDD`."""
        if module not in MODULES or self._company is None or not is_day(date):
            return self._refuse(self._texts.no_context)
        self._dates[module] = date
        return 1

    @answered()
    def nSetModule(self, module: str) -> int:
        if module not in MODULES or self._company is None:
            return self._refuse(self._texts.no_context)
        self._module = module
        return 1

    @answered()
    def nLookupTask(self, name: str) -> int:
        """The number of a task, or 0."""
        return TASKS.get(name) or self._refuse(self._texts.not_found)

    @answered()
    def nSetProgram(self, task: int) -> int:
        name = next((name for name, number in TASKS.items() if number == task), None)
        if name is None or self._company is None:
            return self._refuse(self._texts.no_context)
        self._task = name
        return 1

    @answered()
    def nCleanup(self) -> int:
        self._link.site.leave_seat(self._seat)
        self._user = None
        self._link.closed = True
        return 1

    # -- for the script object ----------------------------------------------------------------------------------

    @property
    def link(self) -> Link:
        return self._link

    @property
    def alive(self) -> bool:
        """Whether it still takes its place in the process."""
        return not self._link.closed

    def tell(self, text: str) -> None:
        """Leave a message in `sLastErrorMsg`."""
        self._said = text

    def spoil(self, text: str) -> com_error:
        """The error to raise; nothing gets through to the session afterwards."""
        return self._link.fail(text)

    def opening(self, entry: BusinessObject) -> tuple[Company, User] | None:
        """The company and user for whom an object may be opened now; `None`, with a message, if it may not be."""
        user, company = self._user, self._company
        if not entry.task:
            # The system database is the same from every company, and it takes none to read it.
            company = company or next(iter(self._link.site.companies.values()), None)
        if user is None or company is None or not self._fits(entry):
            self._refuse(self._texts.no_context)
            return None
        if entry.task and not (user.may_open(entry.task) if entry.edits else user.may(entry.task)):
            self._refuse(self._texts.no_access)
            return None
        return company, user

    def _fits(self, entry: BusinessObject) -> bool:
        if not entry.task:
            return True
        if self._module is None or self._module not in self._dates:
            return False
        return not entry.bus or (self._module, self._task) == (entry.module, entry.task)
