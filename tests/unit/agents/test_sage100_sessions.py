"""Sessions of the Sage 100 agent: logging on, rights, licences, breaking, hanging, and never guessing passwords."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.unit.agents._agent import PASSWORD, TOKEN, Beside, World, problem

CUSTOMERS = "/companies/ABC/customers"


def health(world):
    """What the agent says of itself."""
    return world.ask("/health").json()


# -- one session, one company ---------------------------------------------------------------------------------------


def test_session_is_used_again(world: World) -> None:
    """Requests for one company share one logon."""
    for _ in range(3):
        world.read("customers")

    assert (1, 1) == (world.script.dispatched, len(world.site.seated))
    assert {"max": 1, "busy": 0, "open": 1, "hung": 0} == health(world)["sessions"]


def test_each_company_is_opened_in_a_session_of_its_own(world: World) -> None:
    """Changing the company ends one session before the next begins: records never mix, and one licence suffices."""
    world.site.seats = 1
    world.customer("A")
    world.customer("X", company="XYZ")

    found = [world.read("customers", company=code)["records"][0]["CustomerNo"] for code in ("ABC", "XYZ", "ABC")]

    assert ["A", "X", "A"] == found
    assert (3, 1) == (world.script.dispatched, len(world.site.seated))


def test_more_sessions_keep_their_companies(make_world) -> None:
    """With a session for each company nothing is closed and opened again."""
    world = make_world(sessions=2)
    for code in ("ABC", "XYZ", "ABC", "XYZ"):
        world.read("customers", company=code)

    assert 2 == world.script.dispatched


def test_session_is_recycled(world: World) -> None:
    """After four hours a session is logged off and a new one opened."""
    world.read("customers")
    world.clock.advance(hours=3.9)
    world.read("customers")
    before = world.script.dispatched
    world.clock.advance(hours=0.1)
    world.read("customers")

    assert (1, 2, 1) == (before, world.script.dispatched, len(world.site.seated))


def test_idle_session_gives_its_licence_back(make_world) -> None:
    """A session with nothing to do is logged off after a while, and opened again when needed."""
    world = make_world(session_idle=0.01)
    left = threading.Event()
    leave = world.site.leave_seat
    world.site.leave_seat = lambda seat: (leave(seat), left.set())
    world.read("customers")

    assert left.wait(10)
    assert [] == world.site.seated
    world.read("customers")
    assert 2 == world.script.dispatched


def test_objects_stay_on_their_thread(make_world) -> None:
    """Requests of several threads all reach Sage 100 on the one that made its objects."""
    world = make_world()
    world.script.manner = type(world.script.manner)(apartment=True)
    world.customer("1")
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda _: world.ask(CUSTOMERS).status, range(8)))

    assert [200] * 8 == answers
    assert 1 == world.script.dispatched


def test_closing_logs_off(world: World) -> None:
    """A closed agent leaves no session behind and serves nothing more; closing twice does no harm."""
    world.read("customers")
    with world.agent as agent:
        assert "<Agent sage100 1 of 1 sessions open>" == repr(agent)
    world.agent.close()

    assert [] == world.site.seated
    assert (429, "AGENT_BUSY") == problem(world.ask(CUSTOMERS))


# -- logging on -----------------------------------------------------------------------------------------------------


def test_refused_user_is_never_tried_again_by_itself(world: World, caplog) -> None:
    """Each request tries once; after the second refusal there is an alarm, and nothing is tried for a while."""
    world.user.password = "changed"
    with caplog.at_level(logging.WARNING):
        answers = [world.ask(CUSTOMERS) for _ in range(5)]

    assert [(503, "SAGE_LOGON_FAILED")] * 5 == [problem(answer) for answer in answers]
    assert (2, False) == (world.user.failures, world.user.locked)
    assert ["WARNING", "ERROR"] == [record.levelname for record in caplog.records]
    assert ["60", "60", "900"] == [answer.headers["retry-after"] for answer in answers[:3]]
    assert not answers[0].json()["error"]["retryable"]
    assert "The user logon or password is not valid." == answers[0].json()["error"]["boi"]["lastErrorMsg"]
    status, last = health(world)["status"], health(world)["lastProblem"]
    assert ("degraded", "SAGE_LOGON_FAILED", 2) == (status, last["code"], last["count"])


def test_mended_user_is_let_in_after_the_pause(world: World) -> None:
    """When the pause is over one logon is tried; a good one ends the trouble."""
    world.user.password = "changed"
    for _ in range(3):
        world.ask(CUSTOMERS)
    world.user.password = PASSWORD
    world.clock.advance(minutes=14)
    early = world.ask(CUSTOMERS)
    world.clock.advance(minutes=2)

    assert (503, "SAGE_LOGON_FAILED") == problem(early)
    assert 200 == world.ask(CUSTOMERS).status
    assert ("ok", None) == (health(world)["status"], health(world)["lastProblem"])


def test_one_refusal_does_not_hold_the_next_up(world: World) -> None:
    """A single refusal may be a slip that is mended at once."""
    world.user.password = "changed"
    world.ask(CUSTOMERS)
    world.user.password = PASSWORD

    assert 200 == world.ask(CUSTOMERS).status


def test_taken_licences_are_told(world: World) -> None:
    """All user licences are taken: later there may be one."""
    for number in range(world.site.seats):
        world.site.take_seat(number)
    answer = world.ask(CUSTOMERS)
    world.site.leave_seat(0)

    assert (503, "NO_LICENSE", "60") == (*problem(answer), answer.headers["retry-after"])
    assert 200 == world.ask(CUSTOMERS).status


def test_closed_system_is_told(world: World) -> None:
    """The administrator closed Sage 100: that is no wrong password, and is over some day."""
    world.site.instlock = True
    answer = world.ask(CUSTOMERS)
    world.site.instlock = False

    assert (503, "MAINTENANCE", "300") == (*problem(answer), answer.headers["retry-after"])
    assert answer.json()["error"]["retryable"]
    assert 200 == world.ask(CUSTOMERS).status


def test_closed_system_is_seen_before_logging_on(make_world, tmp_path) -> None:
    """With `instlock.txt` in the folder Home no logon is even tried."""
    home = tmp_path / "Home"
    home.mkdir()
    (home / "instlock.txt").touch()
    world = make_world(home=str(home))

    assert (503, "MAINTENANCE") == problem(world.ask(CUSTOMERS))
    assert 0 == world.script.dispatched


def test_unreadable_home_stops_no_logon(make_world, tmp_path) -> None:
    """A folder Home that cannot be looked into is left to the logon to complain about."""
    world = make_world(home=str(tmp_path / ("x" * 300) / "Home"))

    assert 200 == world.ask(CUSTOMERS).status


@pytest.mark.parametrize("company", ["QQQ", "abc", "MAS_ABC", "AB"])
def test_unknown_company_is_told(company: str, world: World) -> None:
    """A company that does not exist, or whose code cannot be one, is not found."""
    assert (404, "COMPANY_NOT_FOUND") == problem(world.ask(f"/companies/{company}/customers", sound=False))
    assert 200 == world.ask(CUSTOMERS).status


def test_company_without_external_access_is_told(world: World) -> None:
    """A company that lets no programs in is not found, and the message says what to look at."""
    world.company.external_access = False
    error = world.ask(CUSTOMERS).json()["error"]

    assert "COMPANY_NOT_FOUND" == error["code"]
    assert "external access" in error["message"]
    assert "The company does not allow external access." == error["boi"]["lastErrorMsg"]


def test_user_barred_from_a_company_is_told(world: World) -> None:
    """A company that exists and is closed to the agent's user is a matter of rights."""
    world.script.refuse("nSetCompany", "You are not authorized to access company ABC.")

    assert (403, "SAGE_SECURITY") == problem(world.ask(CUSTOMERS))
    assert [] == world.site.seated


def test_companies_of_the_settings_only_are_handed_out(make_world) -> None:
    """Others are neither listed nor opened, and Sage 100 is not even asked."""
    world = make_world(companies="XYZ")

    assert [{"CompanyCode": "XYZ", "CompanyName": "Company XYZ"}] == world.ask("/companies").json()
    before = world.script.dispatched
    for path in ("", "/keys", "/00/0000042"):
        assert (404, "COMPANY_NOT_FOUND") == problem(world.ask(CUSTOMERS + path))
    assert (404, "COMPANY_NOT_FOUND") == problem(world.mark(set={"UDF_DO_NOT_EMAIL": "Y"}))
    assert before == world.script.dispatched


def test_companies_are_listed_without_opening_one(world: World) -> None:
    """The list of companies needs a user and no company; a session that is open anyway will do."""
    assert ["ABC", "XYZ"] == [one["CompanyCode"] for one in world.ask("/companies").json()]
    world.read("customers")
    assert ["ABC", "XYZ"] == [one["CompanyCode"] for one in world.ask("/companies").json()]
    assert 2 == world.script.dispatched


# -- rights ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("refusal", ["null", "error"])
def test_role_without_the_task_is_told(refusal: str, world: World) -> None:
    """Sage 100 refuses an object by handing out none or by an error; both are a matter of rights, of this list only."""
    world.script.manner = type(world.script.manner)(refusal=refusal)
    world.user.deny("AP_Vendor_ui")
    answer = world.ask("/companies/ABC/vendors")

    assert (403, "SAGE_SECURITY") == problem(answer)
    assert "AP_Vendor_svc" == answer.json()["error"]["boi"]["object"]
    assert 200 == world.ask(CUSTOMERS).status


@pytest.mark.parametrize("method", ["nSetDate", "nSetModule", "nLookupTask", "nSetProgram"])
def test_module_or_task_that_is_refused_is_told(method: str, world: World) -> None:
    """A module that is not activated, or a task that is not there, is named with Sage 100's message."""
    world.script.refuse(method, "The module is not activated.")
    answer = world.ask(CUSTOMERS)

    boi = answer.json()["error"]["boi"]
    assert (403, "SAGE_SECURITY", method[1:]) == (*problem(answer), boi["method"])
    assert "The module is not activated." == boi["lastErrorMsg"]


# -- breaking and hanging -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["nSetUser", "nSetCompany", "nSetModule", "nGetResultSets", "nFind", "nGetValue"])
def test_broken_session_is_never_used_again(method: str, world: World) -> None:
    """Wherever a COM error strikes, the request says so and the next one has a new session."""
    world.customer("1")
    world.script.crash(method)
    answer = world.ask(CUSTOMERS)

    assert (503, "SESSION_LOST", "5") == (*problem(answer), answer.headers["retry-after"])
    assert method[1:] == answer.json()["error"]["boi"]["method"]
    assert ("degraded", "SESSION_LOST") == (health(world)["status"], health(world)["lastProblem"]["code"])
    assert ["1"] == world.numbers()
    assert (2, 1) == (world.script.dispatched, len(world.site.seated))
    assert "ok" == health(world)["status"]


def test_nothing_of_a_broken_session_stays(world: World) -> None:
    """In a process that takes one session at a time a new one is had at once: all of the old one is let go."""
    world.dispatch = lambda: world.script
    world.customer("1")
    for method in ("nGetResultSets", "nFind", "nGetValue"):
        world.script.crash(method)
        assert 503 == world.ask(CUSTOMERS).status

    assert ["1"] == world.numbers()


@pytest.mark.parametrize(("place", "word"), [("Init", "Home"), ("NewObject", "ProvideX")])
def test_installation_that_does_not_start_is_told(place: str, word: str, world: World) -> None:
    """What stops Sage 100 from starting names the setting or the set-up to look at."""
    world.script.crash(place)
    answer = world.ask(CUSTOMERS)

    assert (503, "SESSION_LOST") == problem(answer)
    assert word in str(answer.json()["error"])
    assert 200 == world.ask(CUSTOMERS).status


def test_process_that_takes_no_second_session_is_told(make_world) -> None:
    """Where Sage 100 hands out no session at all, the message says what must be set up; the first one works on."""
    world = make_world(sessions=2)
    world.dispatch = lambda: world.script
    world.read("customers")
    answer = world.ask("/companies/XYZ/customers")

    assert (503, "SESSION_LOST", "SY_Session") == (*problem(answer), answer.json()["error"]["boi"]["object"])
    assert 200 == world.ask(CUSTOMERS).status


def test_lost_connection_is_not_taken_for_a_missing_right(world: World) -> None:
    """When the process behind COM is gone while an object is made, that is no matter of rights."""

    class Gone(Beside):
        def NewObject(self, name, session=None):  # noqa: N802 - Sage 100's name
            if name == "SY_Session":
                return self.thing.NewObject(name)
            raise world.script.com_error(-2147023174, "The RPC server is unavailable.")

    world.dispatch = lambda: Gone(world.script.dispatch("ProvideX.Script"))

    assert (503, "SESSION_LOST") == problem(world.ask(CUSTOMERS))


def test_dispatch_that_fails_is_told(world: World) -> None:
    """Without the COM class the message says what must be set up on the machine."""

    def refuse():
        raise OSError("Invalid class string")

    world.dispatch = refuse

    assert "workstation setup" in world.ask(CUSTOMERS).json()["error"]["message"]


def waiting(world, gate, reached):
    """Let searches wait at a gate, and tell when one has reached it."""

    class Waiting(Beside):
        def nFind(self):  # noqa: N802 - Sage 100's name
            reached.set()
            gate.wait(10)
            return self.thing.nFind()

    class Script(Beside):
        New = Waiting

    world.dispatch = lambda: Script(world.script.dispatch("ProvideX.Script"))


def test_busy_agent_says_so(make_world) -> None:
    """When no session comes free in time the answer is 429; the health of the agent can be asked all the same."""
    world = make_world(session_wait=0)
    world.customer("1")
    gate, reached = threading.Event(), threading.Event()
    waiting(world, gate, reached)
    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(world.ask, CUSTOMERS)
        reached.wait(10)
        busy, state = world.ask(CUSTOMERS), health(world)
        gate.set()

        assert 200 == first.result().status
    assert (429, "AGENT_BUSY", "10") == (*problem(busy), busy.headers["retry-after"])
    assert ("ok", 1) == (state["status"], state["sessions"]["busy"])


def test_request_waits_its_turn(world: World) -> None:
    """A session that comes free in time serves the request that waited for it."""
    world.customer("1")
    gate, reached = threading.Event(), threading.Event()
    waiting(world, gate, reached)
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(world.ask, CUSTOMERS)
        reached.wait(10)
        second = threads.submit(world.ask, f"{CUSTOMERS}/keys")
        gate.set()

        assert [200, 200] == [first.result().status, second.result().status]


def test_hung_session_is_given_up(make_world) -> None:
    """A call that never comes back costs its session and not the agent; should it return, it is logged off."""
    world = make_world(call_timeout=0.2)
    world.customer("1")
    gate, reached = threading.Event(), threading.Event()
    waiting(world, gate, reached)
    answer = world.ask(CUSTOMERS)
    state = health(world)
    world.dispatch = lambda: world.script.dispatch("ProvideX.Script")
    left = threading.Event()
    leave = world.site.leave_seat
    world.site.leave_seat = lambda seat: (leave(seat), left.set())

    assert (504, "TIMEOUT") == problem(answer)
    assert ("degraded", 1, "TIMEOUT") == (state["status"], state["sessions"]["hung"], state["lastProblem"]["code"])
    assert ["1"] == world.numbers()
    assert 2 == len(world.site.seated)
    gate.set()
    assert left.wait(10)
    assert 1 == len(world.site.seated)
    assert "degraded" == health(world)["status"]


def test_unknown_trouble_is_answered_and_logged(world: World, caplog) -> None:
    """What nobody foresaw is a 500 without details; the log has them under the id of the answer."""

    class Odd(Beside):
        def nGetResultSets(self, *arguments):  # noqa: N802 - Sage 100's name
            return 1, "no stamps at all", "00|1"

    class Script(Beside):
        New = Odd

    world.dispatch = lambda: Script(world.script.dispatch("ProvideX.Script"))
    with caplog.at_level(logging.INFO):
        answer = world.ask(CUSTOMERS)

    assert (500, "INTERNAL") == problem(answer)
    assert "stamps" not in str(answer.json())
    (failure,) = [record for record in caplog.records if record.exc_info]
    assert answer.json()["error"]["requestId"] == failure.mlc_request_id == answer.headers["x-request-id"]


def test_secrets_stay_inside(world: World, caplog) -> None:
    """Neither the Sage password nor a token is in any answer, log or representation, whatever goes wrong."""
    world.customer("1")
    with caplog.at_level(logging.DEBUG):
        answers = [world.ask(CUSTOMERS), world.ask(CUSTOMERS, token="another token that is wrong")]
        for method in ("nSetUser", "nSetCompany", "nFind"):
            world.script.crash(method)
            world.restart()
            answers.append(world.ask(CUSTOMERS))
        world.user.password = "changed"
        world.restart()
        answers += [world.ask(CUSTOMERS), world.ask(CUSTOMERS)]
    told = [answer.body.decode() + str(answer.headers) for answer in answers]
    logged = [f"{record.getMessage()} {vars(record)}" for record in caplog.records]
    shown = [repr(world.settings), repr(world.agent), str(world.settings)]

    for secret in (PASSWORD, TOKEN, "another token that is wrong"):
        assert [] == [text for text in (*told, *logged, *shown) if secret in text]
