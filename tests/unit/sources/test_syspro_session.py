"""One session of e.net: used while there is something to ask, renewed once, ended always, silent about secrets."""

from __future__ import annotations

import gc
import logging
import pickle
import re
import threading
import traceback

import pytest

from mlconnector_sdk.errors import (
    AuthenticationError,
    ConfigurationError,
    ContractError,
    PermissionDeniedError,
    RateLimitError,
    ServerFaultError,
    UnavailableError,
)
from mlconnector_sdk.retry import RetryPolicy
from mlconnector_sdk.sources.syspro import SysproENet, _enet as enet
from mlconnector_sdk.testing import FakeClock, FakeSyspro
from tests.unit.sources._syspro import api_of, close_all, read, source_of

DOORS = ("enet", "soap")
SECRET = "p&ss+w%rd#é ?"


@pytest.fixture(autouse=True)
def closing():
    """No test has to close its sources."""
    yield
    close_all()


@pytest.fixture
def erp(closing):
    """A company with a few customers."""
    with FakeSyspro(customers=12, suppliers=2, invoices=5) as erp:
        yield erp


@pytest.fixture(params=DOORS)
def door(request):
    """Each way into e.net."""
    return request.param


# Logging on and off


def test_each_reading_logs_on_and_off(erp, door):
    """A reading is one session, whatever it asks, and frees its licence at the end without `close`."""
    source = source_of(erp, door, page_size=5)

    read(source, "customers")
    read(source, "orders")

    assert (2, 2, 0) == (erp.logons, erp.logoffs, erp.open_sessions)


def test_a_reading_that_is_given_up_logs_off(erp, door):
    """A reader that stops in the middle leaves no session behind."""
    source = source_of(erp, door, page_size=5)
    pages = source.read("customers")
    next(pages)
    held = erp.open_sessions

    del pages
    gc.collect()

    assert (1, 0) == (held, erp.open_sessions)


def test_close_ends_a_session_that_somebody_still_holds(erp, door):
    """Closing logs off at once, although a reading is not at its end; the source can be used again."""
    source = source_of(erp, door, page_size=5)
    pages = source.read("customers")
    next(pages)

    source.close()

    assert erp.open_sessions == 0
    assert len(read(source, "suppliers")) == 2
    pages.close()
    assert (2, 2) == (erp.logons, erp.logoffs)


def test_readings_of_one_source_share_a_session(erp, door):
    """Two readings that overlap log on once, and off when both are done."""
    source = source_of(erp, door, page_size=5)
    pages = source.read("customers")
    next(pages)

    read(source, "suppliers")

    assert (1, 0) == (erp.logons, erp.logoffs)
    pages.close()
    assert (1, 1) == (erp.logons, erp.logoffs)


def test_an_error_on_the_way_logs_off_too(erp, door):
    """A reading that fails frees its licence."""
    erp.unlicense("COMFND")
    source = source_of(erp, door)

    with pytest.raises(PermissionDeniedError, match="COMFND is not there for this operator: it must be licensed"):
        read(source, "customers")

    assert (1, 1, 0) == (erp.logons, erp.logoffs, erp.open_sessions)


def test_a_logoff_that_fails_is_no_failure(erp):
    """The reading stands even if SYSPRO cannot be told that it is over."""
    erp.fail(status=500, path="/Logoff")
    source = source_of(erp)

    assert len(read(source, "customers")) == 12


def test_blank_passwords_are_sent(erp):
    """All four parameters of Logon are sent, although two of them are empty."""
    with FakeSyspro(customers=2, password="", company_password="") as blank:
        read(source_of(blank, api=api_of(blank, "enet", password="", company="")), "customers")
        [logon] = blank.requests(path="/Logon")

    assert {"Operator", "OperatorPassword", "CompanyId", "CompanyPassword"} == set(logon.request.query)


def test_a_company_password_is_sent(door):
    """A company with a password of its own is logged on to."""
    with FakeSyspro(customers=2, company_password="inner") as erp:
        assert len(read(source_of(erp, api=api_of(erp, door, company_password="inner")), "customers")) == 2
        with pytest.raises(AuthenticationError, match="company password"):
            read(source_of(erp, api=api_of(erp, door, company_password="outer")), "customers")


def test_the_address_may_name_the_service(erp):
    """Host and port are enough, and the whole address of the service is taken as well."""
    for url in (erp.url, f"{erp.url}/", erp.enet_url, f"{erp.url}/sysprowcfservice/rest/"):
        assert len(read(source_of(erp, api=api_of(erp, "enet", base_url=url)), "customers")) == 12


# Dead sessions


def test_a_dead_session_is_renewed_once(erp, door):
    """A session that somebody killed costs one new logon, and no record."""
    source = source_of(erp, door, page_size=5)
    pages = source.read("customers")
    first = next(pages)
    erp.kill_session()

    rest = [record for page in pages for record in page]

    assert len(first) + len(rest) == 12
    assert erp.logons == 2


def test_two_programs_with_one_operator_end_in_an_explanation(erp, door):
    """When the new session dies as well, nobody goes on logging on: the error names the reason and the cure."""
    erp.sessions_last(0)
    source = source_of(erp, door)

    with pytest.raises(UnavailableError, match=r"second logon with the same operator.*operator of its own") as caught:
        read(source, "customers")

    assert (erp.logons, caught.value.reason) == (2, "session_ended")
    assert caught.value.operation == "COMFND ArCustomer"


def test_a_fight_for_the_operator_is_not_joined(erp, door):
    """A second death within minutes ends the reading; a session that lived longer is renewed again."""
    clock = FakeClock()
    source = source_of(erp, door, page_size=3)
    source.attach(clock=clock)
    pages = source.read("customers")
    next(pages)
    erp.someone_logs_on()
    next(pages)
    clock.advance(minutes=6)
    erp.kill_session()
    next(pages)
    erp.kill_session()

    with pytest.raises(UnavailableError, match="operator of its own"):
        next(pages)

    assert erp.logons == 3


def test_a_damaged_session_id_is_a_dead_session():
    """The text that a wrong server instance answers asks for a new session."""
    text = "Unable to read the SYSPRO base directory registry string BaseDir8"

    assert isinstance(enet.query_error(text, "COMFND ArCustomer"), enet.DeadSessionError)


@pytest.mark.parametrize(
    "body",
    [
        b"3EA613166FE4BF47925DF1CEA14E910100  ",
        b'"3EA613166FE4BF47925DF1CEA14E910100"',
        b'<string xmlns="http://schemas.microsoft.com/2003/10/Serialization/">3EA613166FE4BF47925DF1CEA14E910100</string>',
    ],
)
def test_session_ids_are_unwrapped(body):
    """Blanks, quotes and an element around a session id are cut."""
    assert enet.session_id(body) == "3EA613166FE4BF47925DF1CEA14E910100"


# Refused logons


def test_a_wrong_password_is_tried_once(erp, door):
    """Refused credentials are not sent again, not even by the next reading, so that nothing gets locked."""
    source = source_of(erp, api=api_of(erp, door, password="wrong"))
    for stream in ("customers", "orders"):
        with pytest.raises(AuthenticationError, match="Invalid operator password"):
            read(source, stream)

    assert (erp.refused_logons, erp.logons) == (1, 0)
    [*greetings, logon] = list(source.check())
    assert [True, False] == [all(row.ok for row in greetings), logon.ok]
    assert erp.refused_logons == 1


@pytest.mark.parametrize(
    ("changes", "told"),
    [({"operator": "NOBODY"}, "Operator not on file"), ({"company": "XXXX"}, "Company not on file")],
)
def test_an_unknown_operator_or_company_is_final(erp, door, changes, told):
    """What names somebody who is not there is told with SYSPRO's words and not tried again."""
    with pytest.raises(AuthenticationError, match=told):
        read(source_of(erp, api=api_of(erp, door, **changes)), "customers")

    assert erp.refused_logons == 1


def test_a_locked_operator_is_final(erp, door):
    """A locked operator is not knocked at again."""
    erp.lock_operator()

    with pytest.raises(AuthenticationError, match="locked"):
        read(source_of(erp, door), "customers")

    assert erp.refused_logons == 1


def test_a_full_licence_is_waited_for(erp, door):
    """While no licence is free the logon is tried again, and works as soon as one is."""
    erp.occupy_licences()
    waits = []
    source = source_of(erp, door)

    def listener(system, operation, error, seconds, tries):
        waits.append((operation, error.reason))
        erp.enet.unlicensed.clear()
        erp._sessions.open.clear()

    source.attach(on_wait=listener)

    assert len(read(source, "customers")) == 12
    assert [("Logon", "licence_full")] == waits


def test_a_licence_that_stays_full_is_told(erp, door):
    """Once patience is at its end, the error says what to do."""
    erp.occupy_licences()

    with pytest.raises(RateLimitError, match=r"no e\.net licence is free"):
        read(source_of(erp, door, retry=RetryPolicy.immediate(attempts=2)), "customers")

    assert erp.refused_logons == 2


def test_a_logon_error_that_nobody_knows_is_tried_by_the_next_run(erp, door):
    """Month-end may be under way: the run ends without a second try, because it might count as a wrong password."""
    erp.refuse_logons("Period end in progress for 'BOB'")

    with pytest.raises(UnavailableError, match="Period end in progress for …"):
        read(source_of(erp, door), "customers")
    erp.refuse_logons(None)

    assert erp.refused_logons == 1
    assert len(read(source_of(erp, door), "customers")) == 12


def test_an_empty_logon_is_no_logon(erp):
    """A logon that answers with nothing is a failure."""
    erp.blank_logons()

    with pytest.raises(UnavailableError, match="empty"):
        read(source_of(erp, retry=RetryPolicy.immediate(attempts=2)), "customers")


def test_an_answer_that_is_no_session_id_is_told(erp, door):
    """A logon that answers with something else is no e.net."""
    body = "Hello" if door == "enet" else soap_result("Logon", "Hello")
    erp.fail(status=200, body=body, headers={"Content-Type": "text/xml"})

    with pytest.raises(ContractError, match="no session id"):
        read(source_of(erp, door), "customers")


def soap_result(operation, text):
    """An answer of ASMX."""
    space = f"http://www.syspro.com/ns/{'query' if operation == 'Query' else 'utilities'}/"
    return (
        '<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body>'
        f'<{operation}Response xmlns="{space}"><{operation}Result>{text}</{operation}Result></{operation}Response>'
        "</soap:Body></soap:Envelope>"
    )


def test_refusals_may_come_as_results_of_soap(erp):
    """A result that begins with ERROR means what the same text means over REST."""
    erp.soap.errors_as_results = True

    with pytest.raises(AuthenticationError, match="Invalid operator password"):
        read(source_of(erp, api=api_of(erp, "soap", password="wrong")), "customers")
    assert erp.refused_logons == 1


# Servers in trouble


def test_trouble_on_the_way_is_waited_out(erp, door):
    """Dropped connections, cut answers and pages of a web server cost repeats, and no record."""
    for rule in (
        {"drop": "before"},
        {"drop": "after"},
        {"truncate": 700},
        {"status": 503, "body": "<html>busy</html>"},
    ):
        erp.fail_next(path="uery", **rule)

    assert len(read(source_of(erp, door), "customers")) == 12
    assert erp.open_sessions == 0


@pytest.mark.parametrize(
    ("status", "error", "told"),
    [
        (301, ConfigurationError, "redirects"),
        (302, ConfigurationError, "redirects"),
        (400, ContractError, "malformed"),
        (401, AuthenticationError, "before e.net"),
        (404, UnavailableError, "check host, port and path"),
        (429, RateLimitError, "too many requests"),
        (500, ServerFaultError, "failed on this request"),
        (200, UnavailableError, "web page"),
    ],
)
def test_a_web_servers_answers_are_told_apart(erp, door, status, error, told):
    """Each status of a web server leads to the error that fits what to do next."""
    rule = erp.html_error(status, "Something")
    if status == 200:
        rule.path = "uery"

    with pytest.raises(error, match=told):
        read(source_of(erp, door, retry=RetryPolicy.immediate(attempts=2)), "customers")


def test_an_answer_that_is_no_document_is_told(erp):
    """What is no XML, and what answers another question, is not taken for rows."""
    for body, told in ((b"<a>", "cut off"), (b"nonsense", "no XML"), (b"<Other/>", "answers with Other instead")):
        erp.fail_next(200, body=body, path="/Query")
        with pytest.raises((ContractError, UnavailableError), match=told) as caught:
            read(source_of(erp), "customers")
        assert caught.value.operation == "COMFND ArCustomer"


def test_a_soap_service_that_does_not_describe_itself_works(erp):
    """The page of a service may be switched off: the check goes on to the logon."""
    erp.fail(status=500, body="<html>Request format is unrecognized.</html>", method="GET")

    assert [] == [str(row) for row in source_of(erp, "soap").check() if not row.ok]


# Turns


def test_readers_with_one_operator_take_turns(erp, door):
    """Two sources of one process with the same operator never kill each other's session."""
    sources = [source_of(erp, door, page_size=2) for _ in range(3)]
    found: list[int] = []
    threads = [
        threading.Thread(target=lambda source=one: found.append(len(read(source, "customers")))) for one in sources
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert ([12, 12, 12], 3) == (found, erp.logons)


def test_waiting_for_a_turn_has_an_end(erp, door):
    """A reader that nobody lets go ahead says who is in the way, instead of waiting for ever."""
    holding = source_of(erp, door, page_size=5).read("customers")
    next(holding)
    late = source_of(erp, api=api_of(erp, door, turn_wait=0.01))

    with pytest.raises(UnavailableError, match="another reader of this process"):
        read(late, "customers")
    [row] = late.check()
    holding.close()

    assert (False, "give each its own operator") == (row.ok, row.cure)
    assert len(read(late, "customers")) == 12


# Secrets


@pytest.fixture
def loud(caplog):
    """Everything that anybody logs."""
    caplog.set_level(logging.DEBUG)
    for name in ("httpx", "httpcore", "zeep", "mlconnector_sdk"):
        caplog.set_level(logging.DEBUG, logger=name)
    return caplog


def test_secrets_reach_no_log_error_or_repr(door, loud):
    """Passwords and session ids, which stand in addresses, appear nowhere, whatever goes right or wrong."""
    shown: list[str] = []
    with FakeSyspro(customers=3, password=SECRET, company_password=SECRET) as erp:
        erp.keep_bodies = True
        api = api_of(erp, door, password=SECRET, company_password=SECRET)
        source = source_of(erp, api=api, retry=RetryPolicy.immediate(attempts=2))
        shown += [repr(api), repr(source), repr(source._connection._door)]
        read(source, "customers")
        for rule in (
            {"status": 500},
            {"status": 302},
            {"drop": "before"},
            {"status": 200, "body": f"ERROR: {SECRET[:3]}"},
        ):
            fault = erp.fail(**rule)
            for attempt in (lambda: read(source, "customers"), lambda: list(source.check())):
                try:
                    shown += map(str, attempt())
                except Exception as error:
                    shown += traceback.format_exception(error)
                    shown.append(repr(pickle.loads(pickle.dumps(error))))
            erp.faults.remove(fault)
        answers = b"".join(entry.response_body for entry in erp.log)
    shown += [record.getMessage() + repr(record.__dict__) for record in loud.records]

    text = "\n".join(shown)
    ids = set(re.findall(rb"[0-9A-F]{32}00", answers))
    assert ids
    for secret in (*(one.decode() for one in ids), "p&ss", "p%26ss", "p&amp;ss"):
        assert secret not in text


def test_an_api_pickles_and_compares():
    """An API object is a plain value, which can travel to another process."""
    api = SysproENet("http://erp.example:31002/", operator="SYNC", password="x", company="EDU1")

    assert pickle.loads(pickle.dumps(api)) == api
    assert api.base_url == "http://erp.example:31002"
