"""Logging on to a fake SYSPRO over e.net REST: sessions, seats, refusals, and answers that are no documents."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import httpx
import pytest

from mlconnector_sdk.testing import FakeClock
from mlconnector_sdk.testing.fakes._syspro import FakeSyspro

LOGON = {"Operator": "SYNC", "OperatorPassword": "secret", "CompanyId": "EDU1", "CompanyPassword": ""}
DEAD = "ERROR: The supplied UserID is invalid."


@pytest.fixture(name="clock")
def _clock():
    return FakeClock(datetime(2026, 3, 1, 12, tzinfo=UTC))


@pytest.fixture(name="erp")
def _erp(clock):
    with FakeSyspro(customers=2, clock=clock) as fake:
        yield fake


@pytest.fixture(name="call")
def _call(erp):
    """A call of an operation; its text."""
    with httpx.Client(base_url=erp.enet_url) as http:
        yield lambda path, **sent: http.get(f"/{path}", params=sent).text


def test_a_session_lives_from_logon_to_logoff(erp, call):
    """A logon opens a session that works with and without its padding, and a logoff closes it."""
    padded = call("Logon", **LOGON)

    assert 36 == len(padded)
    assert padded.endswith("00  ")
    assert "SYNC" in call("GetLogonProfile", UserId=padded)
    assert "SYNC" in call("GetLogonProfile", UserId=padded.strip())
    assert (1, 1, 0) == (erp.open_sessions, erp.logons, erp.logoffs)
    assert "0" == call("Logoff", UserId=padded)
    assert (0, 1, 1) == (erp.open_sessions, erp.logons, erp.logoffs)
    assert DEAD == call("GetLogonProfile", UserId=padded)
    assert DEAD == call("Logoff", UserId=padded)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"OperatorPassword": "wrong"}, "ERROR: Invalid operator password"),
        ({"Operator": "sync"}, "ERROR: "),
        ({"CompanyId": "RIL"}, "ERROR: "),
        ({"CompanyPassword": "x"}, "ERROR: "),
    ],
)
def test_wrong_credentials_are_refused_with_200(erp, call, changes, text):
    """Whatever is wrong with a logon, the answer is a text that begins with ERROR and no session."""
    assert call("Logon", **{**LOGON, **changes}).startswith(text)
    assert (0, 0, 1) == (erp.open_sessions, erp.logons, erp.refused_logons)


def test_a_blank_company_is_the_default_one(call):
    """An operator who names no company is logged on to its own."""
    assert "<OperatorCode>" in call("GetLogonProfile", UserId=call("Logon", **{**LOGON, "CompanyId": ""}))


def test_blank_passwords_can_be_right():
    """A site may have no passwords at all."""
    with FakeSyspro(password="", odata_password="") as fake, httpx.Client() as http:
        answer = http.get(f"{fake.enet_url}/Logon", params={**LOGON, "OperatorPassword": ""})

        assert 36 == len(answer.content)


def test_three_wrong_passwords_lock_the_operator(erp, call):
    """A locked operator cannot log on with the right password until somebody unlocks it."""
    for _ in range(3):
        call("Logon", **{**LOGON, "OperatorPassword": "wrong"})

    assert call("Logon", **LOGON).startswith("ERROR: ")
    erp.lock_operator(locked=False)
    assert 36 == len(call("Logon", **LOGON))


def test_a_right_password_forgives_wrong_ones(call):
    """Wrong tries count only in a row."""
    for password in ("wrong", "wrong", "secret", "wrong", "wrong"):
        call("Logon", **{**LOGON, "OperatorPassword": password})

    assert 36 == len(call("Logon", **LOGON))


def test_a_second_logon_kills_the_first_session(erp, call):
    """An operator has one session: the newest."""
    first, second = call("Logon", **LOGON), call("Logon", **LOGON)

    assert DEAD == call("GetLogonProfile", UserId=first)
    assert "SYNC" in call("GetLogonProfile", UserId=second)
    assert (1, 2) == (erp.open_sessions, erp.logons)


def test_a_person_can_take_the_operator(erp, call):
    """When somebody logs on with our operator our session is dead, and our next logon ends theirs."""
    user_id = call("Logon", **LOGON)
    erp.someone_logs_on()

    assert DEAD == call("GetLogonProfile", UserId=user_id)
    assert 0 == erp.open_sessions
    assert 36 == len(call("Logon", **LOGON))
    assert 1 == erp.open_sessions


def test_a_killed_session_is_dead(erp, call):
    """An administrator can end a session; ending none is harmless."""
    user_id = call("Logon", **LOGON)
    erp.kill_session()
    erp.kill_session()

    assert DEAD == call("GetLogonProfile", UserId=user_id)


def test_sessions_can_be_made_short(erp, call):
    """Every session dies after the calls it is given, until that ends."""
    erp.sessions_last(1)
    for _ in range(2):
        user_id = call("Logon", **LOGON)
        assert "SYNC" in call("GetLogonProfile", UserId=user_id)
        assert DEAD == call("GetLogonProfile", UserId=user_id)
    erp.sessions_last(None)

    user_id = call("Logon", **LOGON)
    assert ["SYNC" in call("GetLogonProfile", UserId=user_id) for _ in range(3)] == [True] * 3


def test_licences_run_out(erp, call):
    """A full class refuses newcomers until its longest idle member was idle beyond the timeout."""
    erp.occupy_licences()
    refused = call("Logon", **LOGON)

    assert refused.startswith("ERROR: ")
    assert "concurrent" in refused


def test_an_idle_member_makes_room(erp, call, clock):
    """After the timeout the longest idle member of a full class is put out."""
    erp.occupy_licences(2)
    clock.advance(minutes=21)

    assert 36 == len(call("Logon", **LOGON))


def test_a_class_without_seats_lets_nobody_in():
    """Without any licence every logon is refused."""
    with FakeSyspro(licences=0) as fake, httpx.Client() as http:
        assert http.get(f"{fake.enet_url}/Logon", params=LOGON).text.startswith("ERROR: ")


def test_a_damaged_id_names_the_registry(call):
    """The last two figures of a session id choose the server's instance."""
    assert "ERROR: Unable to read the SYSPRO base directory registry string BaseDir8" == call(
        "Logoff", UserId="1BB5B3050954BB459A5D034DB5CC386980"
    )


def test_logons_can_be_refused_for_other_reasons(erp, call):
    """Month-end and the like refuse every logon in words of their own, and then no more."""
    erp.refuse_logons("Period end in progress")
    assert "ERROR: Period end in progress" == call("Logon", **LOGON)
    erp.refuse_logons(None)
    assert 36 == len(call("Logon", **LOGON))


def test_a_logon_can_answer_nothing(erp, call):
    """An empty body is possible, and no session id."""
    erp.blank_logons()
    assert "" == call("Logon", **LOGON)
    erp.blank_logons(False)
    assert 36 == len(call("Logon", **LOGON))


def test_the_version_needs_no_session(call):
    """GetVersion answers a bare version."""
    assert "8.0.0.6" == call("GetVersion")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/SYSPROWCFService/Rest/Utilities/Logon", 404),
        ("GET", "/SYSPROWCFService/Rest/Logon", 400),
        ("GET", "/SYSPROWCFService/Rest/Logoff?userid=X", 400),
        ("GET", "/SYSPROWCFService/Rest/GetVersion?x=1", 400),
        ("POST", "/SYSPROWCFService/Rest/GetVersion", 405),
        ("GET", "/SYSPROWCFService/Rest/GetVersion?x=" + "y" * 17_000, 414),
        ("GET", "/elsewhere", 404),
        ("GET", "/SYSPRO8Odata/SYSPROOData/RIL/ArCustomer", 404),
    ],
)
def test_what_is_no_call_gets_a_page(erp, method, path, status):
    """Wrong paths, verbs and parameters, and lines too long, are answered in HTML by what stands in front."""
    answer = httpx.request(method, erp.url + path)

    assert status == answer.status_code
    assert answer.headers["content-type"].startswith("text/html")
    assert "<html" in answer.text


def test_paths_do_not_mind_case(erp):
    """The service is found however its address is written."""
    assert "8.0.0.6" == httpx.get(f"{erp.url}/sysprowcfservice/REST/getVERSION").text


def test_the_web_server_can_fail(erp, call):
    """A page of IIS can stand in for any answer, until the rule is removed."""
    rule = erp.html_error(503, path="/Rest/")
    assert "503" in call("GetVersion")
    erp.faults.remove(rule)
    assert "8.0.0.6" == call("GetVersion")


@pytest.mark.parametrize("path", ["Setup/Add", "Setup/Update", "Setup/Delete", "Transaction/Post"])
def test_writing_is_refused_and_noticed(erp, call, path):
    """Objects that write are not licensed to this operator, and a call of one is on the list of writes."""
    user_id = call("Logon", **LOGON)
    assert [] == erp.writes

    answer = call(path, UserId=user_id, BusinessObject="ARSSCS", XmlParameters="", XmlIn="")

    assert "ERROR: e.net exception raised: 100000" == answer
    assert [f"/SYSPROWCFService/Rest/{path}"] == [entry.path for entry in erp.writes]


def test_answers_carry_the_servers_time(erp, clock):
    """The Date header follows the site's clock."""
    clock.advance(days=1)

    assert "Mon, 02 Mar 2026 12:00:00 GMT" == httpx.get(f"{erp.enet_url}/GetVersion").headers["date"]


def test_sessions_live_by_the_sites_clock(clock):
    """A session's idle time is what passed since its last call."""
    with FakeSyspro(clock=clock, licences=1, session_timeout=60) as fake, httpx.Client(base_url=fake.enet_url) as http:
        fake.occupy_licences()
        clock.advance(seconds=60)
        assert http.get("/Logon", params=LOGON).text.startswith("ERROR: ")
        clock.advance(seconds=timedelta(seconds=1).total_seconds())
        assert 36 == len(http.get("/Logon", params=LOGON).content)
