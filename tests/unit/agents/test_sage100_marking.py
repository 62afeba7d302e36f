"""Changing a customer through the Sage 100 agent: what is written, what is not, and what a refusal says."""

from __future__ import annotations

import pytest

from mlconnector_sdk.agents.sage100._writes import Answered
from tests.unit.agents._agent import DO_NOT_EMAIL, Beside, World, problem

KEY = ("00", "0000042")
MARKED = {DO_NOT_EMAIL: "Y"}


@pytest.fixture(name="world")
def _world(make_world) -> World:
    """A customer that was changed at 9:30 of the tenth of February, and may be marked."""
    world = make_world()
    world.stamped("0000042", "20260210", "9.5")
    world.customer("KEPT")
    return world


def untouched(world):
    """Whether the customer is as it was and in nobody's hands."""
    row = world.row()
    same = ("20260210", "9.5", "") == (row["DateUpdated"], row["TimeUpdated"], row[DO_NOT_EMAIL])
    return same and not world.company.locks and 2 == len(world.company.tables["AR_Customer"])


def test_column_is_written_and_stamped(world: World) -> None:
    """The column has its value, the stamp and the agent's user are on the record, and the answer shows both."""
    answer = world.mark(set=MARKED)

    assert {"boiResult": 1, "changed": True, "warnings": []} == {
        name: answer.json()[name] for name in ("boiResult", "changed", "warnings")
    }
    record = answer.json()["record"]
    assert ("Y", "20260301", "6", world.user.key) == tuple(
        record[name] for name in (DO_NOT_EMAIL, "DateUpdated", "TimeUpdated", "UserUpdatedKey")
    )
    assert {"date": "20260301", "time": "6"} == record["_stamp"]
    assert "CustomerName" not in record
    assert ("Y", "Customer 0000042") == (world.row()[DO_NOT_EMAIL], world.row()["CustomerName"])
    assert {} == world.company.locks


def test_what_is_so_already_is_not_written(world: World) -> None:
    """A value that is there already costs no write: the stamp stays, and the record is let go."""
    world.script.refuse("nWrite", "nothing must be written")
    first = world.mark(set={DO_NOT_EMAIL: "", "CreditLimit": 0, "UDF_SCORE": "0.00"})

    assert (200, 1, False) == (first.status, first.json()["boiResult"], first.json()["changed"])
    assert "9.5" == first.json()["record"]["TimeUpdated"]
    assert untouched(world)


def test_numbers_are_written_as_numbers(world: World) -> None:
    """A numeric column takes a number, or a text that is one."""
    world.mark(set={"CreditLimit": 1500.5, "UDF_SCORE": "2.25"})

    assert ("1500.50", "2.25") == (f"{world.row()['CreditLimit']}", f"{world.row()['UDF_SCORE']}")


@pytest.mark.parametrize("time", ["9.5", "9.50", "09.5", "9.50000"])
def test_expected_stamp_is_compared_as_a_number(time: str, world: World) -> None:
    """The stamp that was read may be written in another way."""
    assert world.mark(set=MARKED, expected={"DateUpdated": "20260210", "TimeUpdated": time}).json()["changed"]


@pytest.mark.parametrize(("date", "time"), [("20260210", "9.49999"), ("20260209", "9.5"), ("", "")])
def test_stale_expectation_writes_nothing(date: str, time: str, world: World) -> None:
    """A record that was changed after it was read is left alone, and let go."""
    answer = world.mark(set=MARKED, expected={"DateUpdated": date, "TimeUpdated": time})

    assert (409, "STALE_RECORD") == problem(answer)
    assert {"ARDivisionNo": "00", "CustomerNo": "0000042"} == answer.json()["error"]["key"]
    assert untouched(world)


def test_new_record_is_expected_with_blank_stamp(world: World) -> None:
    """A record that was never changed has no stamp of a change, and that can be expected too."""
    key = world.customer("NEW", DateUpdated="", TimeUpdated="")

    assert world.mark(key, set=MARKED, expected={"DateUpdated": "", "TimeUpdated": ""}).json()["changed"]


@pytest.mark.parametrize("rights", [(), ("Create",)])
def test_missing_customer_is_never_created(rights: tuple[str, ...], world: World) -> None:
    """A customer that does not exist is not found, whether or not the agent's user could create one."""
    if rights:
        world.user.deny("AR_Customer_ui", *rights)

    answers = [world.mark(key, set=MARKED) for key in (("00", "NOBODY"), ("01", "0000042"))]

    assert [(404, "NOT_FOUND")] * 2 == [problem(answer) for answer in answers]
    assert untouched(world)


def test_customer_that_vanishes_under_the_pen_is_not_created(world: World) -> None:
    """One that is deleted between look and grasp begins as a new record there, which is thrown away."""

    class Deleting(Beside):
        def nSetKey(self):  # noqa: N802 - Sage 100's name
            world.company.tables["AR_Customer"].remove(KEY)
            return self.thing.nSetKey()

    class Script(Beside):
        New = Deleting

    world.dispatch = lambda: Script(world.script.dispatch("ProvideX.Script"))

    assert (404, "NOT_FOUND") == problem(world.mark(set=MARKED))
    assert [("00", "KEPT")] == list(world.company.tables["AR_Customer"].rows)
    assert {} == world.company.locks


def test_customer_that_vanishes_behind_the_pen_is_told(world: World) -> None:
    """One that is deleted right after it was written has nothing left to show."""

    class Deleting(Beside):
        def nWrite(self):  # noqa: N802 - Sage 100's name
            written = self.thing.nWrite()
            world.company.tables["AR_Customer"].remove(KEY)
            return written

    class Script(Beside):
        New = Deleting

    world.dispatch = lambda: Script(world.script.dispatch("ProvideX.Script"))

    assert (404, "NOT_FOUND") == problem(world.mark(set=MARKED))


def test_locked_customer_is_told_with_sages_own_words(world: World) -> None:
    """Somebody has the record open: 423, when to come again, and Sage 100's message word for word."""
    world.company.lock("AR_Customer", KEY, "MARY")
    answer = world.mark(set=MARKED)
    world.company.unlock("AR_Customer", KEY)

    assert (423, "RECORD_LOCKED", "15") == (*problem(answer), answer.headers["retry-after"])
    error = answer.json()["error"]
    assert {
        "object": "AR_Customer_bus",
        "method": "SetKey",
        "column": None,
        "result": 0,
        "lastErrorMsg": "The record is in use by another user.",
    } == error["boi"]
    assert (True, {"user": None, "workstation": None}) == (error["retryable"], error["lock"])
    assert untouched(world)
    assert world.mark(set=MARKED).json()["changed"]


def test_sites_own_lock_texts_are_known(make_world) -> None:
    """A site adds the words of its own messages, and may say where user and workstation stand in them."""
    world = make_world(lock_texts=[r"held by (?P<user>\w+) at (?P<workstation>\w+)"])
    world.stamped("0000042", "20260210", "9.5")
    world.script.refuse("nSetKey", "Customer 42 is HELD by MARY at DESK7")

    answer = world.mark(set=MARKED)

    assert (423, "RECORD_LOCKED") == problem(answer)
    assert {"user": "MARY", "workstation": "DESK7"} == answer.json()["error"]["lock"]


@pytest.mark.parametrize(
    ("method", "text", "expected", "column"),
    [
        ("nSetKeyValue", "", (422, "VALIDATION"), "ARDivisionNo"),
        ("nSetKey", "The customer is being renumbered.", (422, "VALIDATION"), None),
        ("nSetKey", "No Access - you are not authorized to perform this action", (403, "SAGE_SECURITY"), None),
        ("nSetValue", "The value is not on file.", (422, "VALIDATION"), DO_NOT_EMAIL),
        ("nSetValue", "The value is in use.", (422, "VALIDATION"), DO_NOT_EMAIL),
        ("nWrite", "The customer has no salesperson.", (422, "VALIDATION"), None),
        ("nWrite", "The record is locked.", (423, "RECORD_LOCKED"), None),
        ("nGetValue", "", (500, "INTERNAL"), "ARDivisionNo$"),
    ],
)
def test_each_refusal_is_told_apart(method, text, expected, column, world: World) -> None:
    """Whatever step Sage 100 refuses, the answer says which and why; nothing is written and nothing stays taken."""

    class Refusing(Beside):
        seen = 0

        def nFind(self):  # noqa: N802 - Sage 100's name
            found = self.thing.nFind()
            Refusing.seen += 1
            if Refusing.seen == 1:
                world.script.refuse(method, text)
            return found

    class Script(Beside):
        New = Refusing

    world.dispatch = lambda: Script(world.script.dispatch("ProvideX.Script"))
    answer = world.mark(set=MARKED)

    boi = answer.json()["error"]["boi"]
    assert (*expected, method[1:], column, text) == (
        *problem(answer),
        *(boi[name] for name in ("method", "column", "lastErrorMsg")),
    )
    assert untouched(world)


def test_user_without_the_right_to_modify_is_told(world: World) -> None:
    """A role that may only view is a matter for the administrator."""
    world.user.deny("AR_Customer_ui", "Modify", "Create", "Remove")

    assert (403, "SAGE_SECURITY") == problem(world.mark(set=MARKED))
    assert untouched(world)


@pytest.mark.parametrize("method", ["nSetValue", "nWrite"])
def test_warning_is_passed_on_with_the_write(method: str, world: World) -> None:
    """What succeeds with a warning is written, and the warning told."""
    world.script.warn(method, "The credit limit is exceeded.")
    answer = world.mark(set=MARKED).json()

    assert (-1, True, ["The credit limit is exceeded."]) == (answer["boiResult"], answer["changed"], answer["warnings"])
    assert "Y" == world.row()[DO_NOT_EMAIL]


@pytest.mark.parametrize(
    "column", ["CreditHold", "CustomerNo", "ARDivisionNo", "UDF_DO_NOT_EMAIL$", "udf_do_not_email"]
)
def test_column_that_is_not_allowed_is_refused_before_anything(column: str, make_world) -> None:
    """Only the columns of the settings are written, and never the key, even if it is among them."""
    world = make_world(writable=[DO_NOT_EMAIL, "CustomerNo", "ARDivisionNo"])
    answer = world.mark(set={DO_NOT_EMAIL: "Y", column: "Y"})

    assert (422, "COLUMN_NOT_ALLOWED") == problem(answer)
    assert 0 == world.script.dispatched


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ({DO_NOT_EMAIL: 1}, DO_NOT_EMAIL),
        ({"CreditLimit": "a lot"}, "CreditLimit"),
        ({"UDF_NOWHERE": "Y"}, "UDF_NOWHERE"),
    ],
)
def test_value_of_the_wrong_kind_is_refused(values, word, make_world) -> None:
    """A value that cannot be its column's, or a column that the table lacks, is named; nothing is taken."""
    world = make_world(writable=[DO_NOT_EMAIL, "CreditLimit", "UDF_NOWHERE"])
    world.customer("0000042")

    answer = world.mark(set=values)

    assert (422, "VALIDATION") == problem(answer)
    assert word in answer.json()["error"]["message"]
    assert {} == world.company.locks


def test_same_request_again_is_answered_the_same(world: World) -> None:
    """A change whose answer got lost is not made twice, even after somebody else changed the record."""
    stamp = {"DateUpdated": "20260210", "TimeUpdated": "9.5"}
    first = world.mark(set=MARKED, expected=stamp)
    world.clock.advance(minutes=1)
    world.company.tables["AR_Customer"].put(KEY, {DO_NOT_EMAIL: "N"})

    again = world.mark(set=MARKED, expected=stamp)

    assert first.json() == again.json()
    assert "N" == world.row()[DO_NOT_EMAIL]


def test_idempotency_key_belongs_to_one_request(world: World) -> None:
    """A used key with another change is refused; with another customer it is another key."""
    world.mark(set=MARKED)

    assert (422, "VALIDATION") == problem(world.mark(set={DO_NOT_EMAIL: "N"}))
    assert world.mark(("00", "KEPT"), set=MARKED).json()["changed"]


def test_answers_are_remembered_for_a_day(world: World) -> None:
    """After a day the key may be used anew; a refused change may be tried again with its key at once."""
    world.company.lock("AR_Customer", KEY, "MARY")
    assert 423 == world.mark(set=MARKED).status
    world.company.unlock("AR_Customer", KEY)
    assert world.mark(set=MARKED).json()["changed"]
    world.clock.advance(hours=25)

    assert not world.mark(set=MARKED).json()["changed"]


def test_number_of_remembered_answers_is_bounded(world: World) -> None:
    """The oldest answer is forgotten when there are too many."""
    answered = Answered(world.clock, most=2)
    for name in ("1", "2", "3"):
        answered.keep((name,), b"request", name)

    assert [None, "2", "3"] == [answered.recall((name,), b"request") for name in ("1", "2", "3")]


def test_number_with_odd_signs_is_addressed(world: World) -> None:
    """Blanks, slashes and letters beyond ASCII in a number are percent-encoded in the address."""
    key = world.customer("A/B ÄX-1")

    assert world.mark(key, set=MARKED).json()["changed"]
    assert "Y" == world.row("A/B ÄX-1")[DO_NOT_EMAIL]
    assert "A/B ÄX-1" == world.ask("/companies/ABC/customers/00/A%2FB%20%C3%84X-1").json()["CustomerNo"]


def test_session_that_breaks_while_writing_lets_the_customer_go(world: World) -> None:
    """A COM error in the middle of a change ends the session, and with it its hold on the record."""
    world.script.crash("nWrite")

    answer = world.mark(set=MARKED)

    assert (503, "SESSION_LOST") == problem(answer)
    assert untouched(world)
    assert world.mark(set=MARKED).json()["changed"]
