"""A small Sage 100 and the way into its business objects, for tests of the fake interface."""

from __future__ import annotations

from datetime import UTC, datetime

from mlconnector_sdk.testing import FakeClock, FakeProvideX
from mlconnector_sdk.testing.fakes._sage100_com_catalog import OBJECTS
from mlconnector_sdk.testing.fakes._sage100_site import Sage100Site

__all__ = ["COM_ERROR", "HOME", "SEPARATOR", "enter", "locks", "log_on", "members", "new_site", "opened", "process"]

HOME = r"\\server\Sage 100\MAS90\Home"
SEPARATOR = "\u0160"
COM_ERROR = FakeProvideX.com_error


def new_site():
    """The records every test finds."""
    site = Sage100Site(
        clock=FakeClock(datetime(2026, 3, 1, 18, 15, tzinfo=UTC)),
        companies=("ABC", "TST"),
        udfs={"AR_Customer": {"UDF_DO_NOT_EMAIL": "Y/N"}},
        seats=2,
    )
    site.add_user("sync", "secret")
    tables = site.companies["ABC"].tables
    for division, number, name, limit in (("00", "0000042", "Forty-Two", 0), ("01", "ABF", "Futures", "1500.50")):
        tables["AR_Customer"].put((division, number), {"CustomerName": name, "CreditLimit": limit, "City": "Racine"})
    tables["AR_CustomerContact"].put(("01", "ABF", "ARTIE JOHN"), {"ContactName": "Artie Johnson"})
    for order in ("0000303", "0000304"):
        tables["SO_SalesOrderHeader"].put((order,), {"OrderType": "S", "OrderDate": "20260227"})
        for line in ("000001", "000002"):
            tables["SO_SalesOrderDetail"].put((order, line), {"ItemCode": f"{order[-3:]}-{line[-1]}"})
    return site


def process(site, **manner):
    """A script object that has found its home."""
    script = FakeProvideX(site, **manner)
    script.Init(HOME)
    return script


def log_on(script, module="A/R", task="AR_Customer_ui", company="ABC"):
    """A session in a company, a module and a program."""
    session = script.NewObject("SY_Session")
    assert (1, 1) == (session.nSetUser("sync", "secret"), session.nSetCompany(company))
    enter(session, module, task)
    return session


def enter(session, module, task):
    """Go to a module and a program."""
    assert (1, 1) == (session.nSetDate(module, "20260301"), session.nSetModule(module))
    assert 1 == session.nSetProgram(session.nLookupTask(task))


def opened(site, name, **manner):
    """One object of a session in its own module and program."""
    script = process(site, **manner)
    entry = OBJECTS[name]
    found = script.NewObject(name, log_on(script, entry.module or "A/R", entry.task or "AR_Customer_ui"))
    assert found is not None
    return found


def members(text):
    """The members of a result set, which ends with a separator."""
    assert not text or text.endswith(SEPARATOR)
    return text.split(SEPARATOR)[:-1]


def locks(site):
    """The records of the first company that somebody has in hand."""
    return set(site.companies["ABC"].locks)
