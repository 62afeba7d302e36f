"""Lists of the Sage 100 agent are whole or an error: what Sage 100 does oddly never makes records vanish."""

from __future__ import annotations

import pytest

from tests.unit.agents._agent import Beside, World, problem

CUSTOMERS = "/companies/ABC/customers"


def altered(world, alter):
    """Let result sets go through a function of their two texts."""

    class Altered(Beside):
        def nGetResultSets(self, *arguments):  # noqa: N802 - Sage 100's name
            code, first, second = self.thing.nGetResultSets(*arguments)
            return code, *alter(first, second)

    class Script(Beside):
        New = Altered

    world.dispatch = lambda: Script(world.script.dispatch("ProvideX.Script"))


def test_scan_that_stops_early_is_an_error(world: World) -> None:
    """A list cut off somewhere is refused, not handed out: what it lacks would look deleted."""
    for number in range(10):
        world.customer(f"{number}")
    altered(world, lambda first, second: (cut(first), cut(second)))

    answer = world.ask(CUSTOMERS)

    assert (500, "INTERNAL") == problem(answer)
    assert "7 of 10" in answer.json()["error"]["message"]


def cut(joined):
    """The first seven members of a joined list."""
    return "\u0160".join(joined.split("\u0160")[:7])


def test_records_deleted_during_a_scan_are_no_error(world: World) -> None:
    """Fewer records than before are fine when there are fewer by now."""
    for number in range(10):
        world.customer(f"{number}")

    def alter(first, second):
        for number in (7, 8, 9):
            world.company.tables["AR_Customer"].rows.pop(("00", f"{number}"))
        return cut(first), cut(second)

    altered(world, alter)

    assert 7 == len(world.read("customers/keys")["keys"])


@pytest.mark.parametrize("repeats", [False, True])
def test_separator_inside_a_key_loses_nothing(repeats: bool, world: World) -> None:
    """A contact code with the letter that joins lists is read by walking, which also ends where Sage 100 does not."""
    world.script.manner = type(world.script.manner)(repeats_last=repeats)
    codes = ["A. BUYER", "M. \u0160IK", "Z. LAST"]
    for code in codes:
        world.company.tables["AR_CustomerContact"].put(("00", "0000042", code), {})

    assert codes == [row["ContactCode"] for row in world.read("customer-contacts")["records"]]


def test_object_without_result_sets_is_walked(world: World) -> None:
    """Where result sets are refused the same records come by walking, and the same bound applies."""
    world.stamped("OLD", "20260110", "9")
    world.stamped("NEW", "20260210", "9")
    world.script.refuse("nGetResultSets", "not supported", times=3)

    assert ["OLD", "NEW"] == world.numbers()
    assert ["NEW"] == world.numbers({"sinceDate": "20260210", "sinceTime": "9"})
    assert ["NEW", "OLD"] == [key["CustomerNo"] for key in world.read("customers/keys")["keys"]]


@pytest.mark.parametrize(("padded", "ending"), [(True, True), (False, False), (True, False)])
def test_ways_of_joining_make_no_difference(padded: bool, ending: bool, world: World) -> None:
    """Keys padded or not, lists with or without a separator behind the last member: the same records."""
    world.script.manner = type(world.script.manner)(padded=padded, last_separator=ending)
    world.customer("1")
    world.customer("2", "01")

    assert [{"ARDivisionNo": "00", "CustomerNo": "1"}, {"ARDivisionNo": "01", "CustomerNo": "2"}] == world.read(
        "customers/keys"
    )["keys"]
    assert ["1", "2"] == world.numbers()


def test_slow_scan_is_told(make_world) -> None:
    """A pass through a table that takes too long ends in a 504 that says to ask for less."""
    world = make_world(scan_time=60)
    altered(world, lambda first, second: (world.clock.advance(minutes=2), (first, second))[1])

    answer = world.ask(CUSTOMERS)

    assert (504, "TIMEOUT") == problem(answer)
    assert "smaller window" in answer.json()["error"]["message"]


def test_neighbour_of_a_key_is_not_taken_for_it(world: World) -> None:
    """Where Sage 100 stops at another record than asked for, the asked one counts as missing."""
    world.customer("1")

    class Sliding(Beside):
        def nFind(self):  # noqa: N802 - Sage 100's name
            return self.thing.nMoveFirst()

    class Script(Beside):
        New = Sliding

    world.dispatch = lambda: Script(world.script.dispatch("ProvideX.Script"))

    assert [] == world.read("customers", {"key": '["00","0"]'})["records"]


def test_key_that_sage_refuses_is_not_taken_for_deleted(world: World) -> None:
    """A listed record whose key is refused when it is read stops the page, instead of missing from it."""
    world.customer("1")
    world.customer("2")
    world.script.refuse("nSetKeyValue", "The division is closed.")

    assert (422, "VALIDATION") == problem(world.ask(CUSTOMERS))


def test_lines_of_another_document_are_an_error(world: World) -> None:
    """Where limiting lines to a document does not work, nothing is handed out rather than the wrong lines or none."""
    for number in ("0100001", "0100002"):
        world.company.tables["AR_InvoiceHistoryHeader"].put((number, "000000"), {})
        world.company.tables["AR_InvoiceHistoryDetail"].put((number, "000000", "000001"), {})

    class Unlimited(Beside):
        def nSetBrowseFilter(self, beginning):  # noqa: N802 - Sage 100's name
            return 1

    class Script(Beside):
        New = Unlimited

    world.dispatch = lambda: Script(world.script.dispatch("ProvideX.Script"))

    answer = world.ask("/companies/ABC/invoice-history", {"expand": "lines"})

    assert (500, "INTERNAL") == problem(answer)
