"""Lists of the Sage 100 agent: what is in them, in which order, and what holds while somebody pages through one."""

from __future__ import annotations

import json

import pytest

from mlconnector_sdk.testing import FakeClock
from tests.unit.agents._agent import Beside, World, problem

LISTS = {
    "customers": ("AR_Customer", {"ARDivisionNo": "00", "CustomerNo": "0000042"}),
    "customer-contacts": (
        "AR_CustomerContact",
        {"ARDivisionNo": "00", "CustomerNo": "0000042", "ContactCode": "A|B, BUYER"},
    ),
    "vendors": ("AP_Vendor", {"APDivisionNo": "01", "VendorNo": "QUILL"}),
    "items": ("CI_Item", {"ItemCode": "6655|X"}),
    "sales-orders": ("SO_SalesOrderHeader", {"SalesOrderNo": "0000304"}),
    "sales-order-history": ("SO_SalesOrderHistoryHeader", {"SalesOrderNo": "0000303"}),
    "invoice-history": ("AR_InvoiceHistoryHeader", {"InvoiceNo": "0100063", "HeaderSeqNo": "000001"}),
    "gl-accounts": ("GL_Account", {"AccountKey": "000000017"}),
}


def fill(world):
    """A record in every table."""
    for table, key in LISTS.values():
        world.company.tables[table].put(tuple(key.values()), {})


# -- what is in a list ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", LISTS)
def test_every_list_has_its_records_and_keys(path: str, world: World) -> None:
    """Each list names its table, gives records with key and stamp, and tells the same keys by themselves."""
    fill(world)
    table, key = LISTS[path]

    page = world.read(path)
    keys = world.read(f"{path}/keys")

    assert (table, table) == (page["table"], keys["table"])
    assert [key] == [{name: record[name] for name in key} for record in page["records"]]
    assert [{"date": "20260301", "time": "6"}] == [record["_stamp"] for record in page["records"]]
    assert [key] == keys["keys"]


@pytest.mark.parametrize("path", LISTS)
def test_every_list_is_read_by_key(path: str, world: World) -> None:
    """Records are found by their keys, whatever signs the keys have; keys that do not exist are left out."""
    fill(world)
    _, key = LISTS[path]
    absent = ["99", *list(key.values())[1:]]

    page = world.read(path, {"key": [json.dumps(absent), json.dumps(list(key.values()))]})

    assert [key] == [{name: record[name] for name in key} for record in page["records"]]
    assert page["nextCursor"] is None


def test_values_come_without_padding(world: World) -> None:
    """Text loses the NUL bytes and blanks behind it and keeps those before; numbers are numbers; empty is empty."""
    world.customer("ABF", "01", CustomerName="  Ärzte & Co.  \0\0", CreditLimit="1500.50", CurrentBalance=-3, City="")

    (record,) = world.read("customers")["records"]

    assert ("01", "ABF") == (record["ARDivisionNo"], record["CustomerNo"])
    assert "  Ärzte & Co." == record["CustomerName"]
    assert (1500.5, -3, "", 0) == tuple(record[name] for name in ("CreditLimit", "CurrentBalance", "City", "UDF_SCORE"))
    assert not [name for name in record if name.endswith("$")]


def test_encrypted_customer_keeps_the_date_of_it(world: World) -> None:
    """That personal data were encrypted is told by the column that says so, next to whatever is left of them."""
    world.customer("0000042", PIIEncryptedDate="20260214", CustomerStatus="I", EncryptedVals="9F1C")

    (record,) = world.read("customers", {"fields": "PIIEncryptedDate,EmailAddress"})["records"]

    assert ("20260214", "") == (record["PIIEncryptedDate"], record["EmailAddress"])


def test_only_chosen_fields_come(world: World) -> None:
    """`fields` limits a record to those columns, its key and its stamps; columns that are not there are named."""
    world.customer("0000042", EmailAddress="office@harbor-pumps.com")

    page = world.read("customers", {"fields": "EmailAddress,UDF_NOWHERE,EmailAddress"})

    assert {
        *("ARDivisionNo", "CustomerNo", "EmailAddress", "_stamp"),
        *("DateCreated", "TimeCreated", "UserCreatedKey", "DateUpdated", "TimeUpdated", "UserUpdatedKey"),
    } == set(page["records"][0])
    assert ["UDF_NOWHERE"] == page["missingFields"]


@pytest.mark.parametrize(
    ("path", "header", "detail", "key", "line_key"),
    [
        ("sales-orders", "SO_SalesOrderHeader", "SO_SalesOrderDetail", ("0000304",), "LineKey"),
        ("sales-order-history", "SO_SalesOrderHistoryHeader", "SO_SalesOrderHistoryDetail", ("0000304",), "SequenceNo"),
        ("invoice-history", "AR_InvoiceHistoryHeader", "AR_InvoiceHistoryDetail", ("0100063", "000001"), "DetailSeqNo"),
    ],
)
def test_documents_bring_their_own_lines(path, header, detail, key, line_key, world: World) -> None:
    """With `expand=lines` each document has its lines in order and no others; without, it has none."""
    other, empty = (*key[:-1], "9" * len(key[-1])), (*key[:-1], "8" * len(key[-1]))
    for place in (key, other, empty):
        world.company.tables[header].put(place, {})
    width = world.company.tables[detail].columns[line_key].width
    for place, number in ((key, "2"), (key, "1"), (other, "3")):
        world.company.tables[detail].put((*place, number.zfill(width)), {"ItemCode": f"ITEM{number}"})

    page = world.read(path, {"expand": "lines", "fields": "Nope", "lineFields": "ItemCode,NoSuch"})
    plain = world.read(path, {"key": json.dumps(key)})

    lines = {
        record[[*record][len(key) - 1]]: [line["ItemCode"] for line in record["Lines"]] for record in page["records"]
    }
    assert {key[-1]: ["ITEM1", "ITEM2"], other[-1]: ["ITEM3"], empty[-1]: []} == lines
    assert ["Nope", "NoSuch"] == page["missingFields"]
    assert "Lines" not in plain["records"][0]


def test_reading_takes_no_record(world: World) -> None:
    """Neither records nor lines are taken for editing, not even where a maintenance object reads them."""
    fill(world)
    world.company.lock("SO_SalesOrderHeader", ("0000304",), "MARY")
    world.company.lock("AR_Customer", ("00", "0000042"), "MARY")

    world.read("sales-orders", {"expand": "lines"})
    world.read("customers")

    assert {"MARY"} == set(world.company.locks.values())


def test_customer_is_read_alone(world: World) -> None:
    """One customer has its own address, where columns can be chosen too; one that is not there is not found."""
    world.customer("ABF", "01", City="Milwaukee")

    answer = world.ask("/companies/ABC/customers/01/ABF", {"fields": "City"})

    assert ("Milwaukee", "ABF") == (answer.json()["City"], answer.json()["CustomerNo"])
    assert "CustomerName" not in answer.json()
    gone = world.ask("/companies/ABC/customers/00/ABF")
    assert (404, "NOT_FOUND") == problem(gone)
    assert {"ARDivisionNo": "00", "CustomerNo": "ABF"} == gone.json()["error"]["key"]


def test_keys_come_in_pages(world: World) -> None:
    """All keys come in their own order, page by page, whatever was changed last."""
    for number in ("3", "1", "2"):
        world.customer(number)

    first = world.read("customers/keys", {"limit": 2})
    rest = world.read("customers/keys", {"cursor": first["nextCursor"]})

    assert ["1", "2", "3"] == [key["CustomerNo"] for key in (*first["keys"], *rest["keys"])]
    assert rest["nextCursor"] is None


# -- since when -----------------------------------------------------------------------------------------------------


def test_stamps_are_compared_as_numbers(world: World) -> None:
    """`8.49238` is before `15.5` although as text it is not; the lower bound itself is included."""
    for number, time in (("1", "8.49238"), ("2", "15.5"), ("3", "09.25"), ("4", ""), ("5", "23.99972")):
        world.stamped(number, "20260210", time)
    world.stamped("6", "20260209", "23.99999")
    world.stamped("7", "20260211", "0")

    def since(time):
        return world.numbers({"sinceDate": "20260210", "sinceTime": time})

    assert ["6", "4", "1", "3", "2", "5", "7"] == world.numbers()
    assert ["2", "5", "7"] == since("15.5")
    assert ["2", "5", "7"] == since("9.25001")
    assert ["3", "2", "5", "7"] == since("9.25")
    assert ["1", "3", "2", "5", "7"] == since("8.49238")
    assert ["4", "1", "3", "2", "5", "7"] == world.numbers({"sinceDate": "20260210"})


def test_later_of_two_pairs_counts(world: World) -> None:
    """A new record may carry the pair of its creation only, and a broken import the later one there."""
    world.customer("NEW", DateCreated="20260210", TimeCreated="9.75", DateUpdated="", TimeUpdated="", UserUpdatedKey="")
    world.customer("ODD", DateCreated="20260210", TimeCreated="10.5", DateUpdated="20260210", TimeUpdated="9.9")

    records = world.read("customers", {"sinceDate": "20260210", "sinceTime": "9.75"})["records"]

    assert ["9.75", "10.5"] == [record["_stamp"]["time"] for record in records]


def test_ties_are_in_the_order_of_their_keys(world: World) -> None:
    """Records of one import bear one stamp; they come by division and number, and a page may end among them."""
    for division, number in (("01", "B"), ("00", "C"), ("01", "A"), ("00", "B")):
        world.stamped(number, "20260210", "12.00000", division)
    world.stamped("Z", "20260210", "12")

    pages = list(world.pages("customers", {"limit": 2, "sinceDate": "20260210"}))

    keys = [(record["ARDivisionNo"], record["CustomerNo"]) for page in pages for record in page["records"]]
    assert [2, 2, 1] == [len(page["records"]) for page in pages]
    assert [("00", "B"), ("00", "C"), ("00", "Z"), ("01", "A"), ("01", "B")] == keys


def test_repeated_hour_keeps_wall_clock_order(make_world) -> None:
    """In the hour that comes twice stamps stay as the wall showed them, and the offset tells the two passes apart."""
    world = make_world(clock=FakeClock())
    clock = world.clock
    first = clock.now().replace(year=2026, month=11, day=1, hour=6, minute=45)  # 1:45 of summer time in Chicago
    clock.advance(seconds=(first - clock.now()).total_seconds())
    world.customer("FIRST")
    early = world.read("customers")["asOf"]
    clock.advance(minutes=30)  # 1:15 again, of winter time
    world.customer("SECOND")
    late = world.read("customers")

    assert ({"date": "20261101", "time": "1.75", "utcOffsetMinutes": -300}) == early
    assert ({"date": "20261101", "time": "1.25", "utcOffsetMinutes": -360}) == late["asOf"]
    assert ["SECOND", "FIRST"] == [record["CustomerNo"] for record in late["records"]]
    assert ["FIRST"] == world.numbers({"sinceDate": "20261101", "sinceTime": "1.75"})
    assert ["SECOND", "FIRST"] == world.numbers({"sinceDate": "20261101", "sinceTime": "1"})
    health = world.ask("/health").json()
    assert ("America/Chicago", -360) == (health["timeZone"], health["utcOffsetMinutes"])


@pytest.mark.parametrize("time", ["24", "25.1", "noon", "-1"])
def test_broken_time_hides_no_record(time: str, world: World) -> None:
    """A time that is none is passed on as it stands, sorts behind its day, and passes every bound of that day."""
    world.stamped("BROKEN", "20260210", time)
    world.stamped("SOUND", "20260210", "23.99999")
    world.stamped("NEXT", "20260211", "0")

    assert ["SOUND", "BROKEN", "NEXT"] == world.numbers({"sinceDate": "20260210", "sinceTime": "23.99999"})
    assert time == world.read("customers", {"sinceDate": "20260210"})["records"][1]["_stamp"]["time"]


def test_broken_date_sorts_last(world: World) -> None:
    """A date that is none is shown in the record as it is, and as the last of all stamps."""
    world.stamped("BROKEN", "2026-02-", "9")
    world.stamped("SOUND", "20260210", "9")

    records = world.read("customers")["records"]

    assert [("SOUND", "20260210"), ("BROKEN", "99999999")] == [
        (record["CustomerNo"], record["_stamp"]["date"]) for record in records
    ]
    assert "2026-02-" == records[1]["DateUpdated"]


def test_record_without_stamps_is_in_full_listings_only(world: World) -> None:
    """What bears no stamp at all comes first when everything is asked for, and not when changes are."""
    world.customer("NONE", DateCreated="", TimeCreated="", DateUpdated="", TimeUpdated="")
    world.stamped("ONE", "20260210", "9")

    assert ["NONE", "ONE"] == world.numbers()
    assert ["ONE"] == world.numbers({"sinceDate": "20000101"})
    assert {"date": "00000000", "time": "0"} == world.read("customers")["records"][0]["_stamp"]


def test_table_without_stamps_counts_as_changed(world: World) -> None:
    """Where a release keeps no stamps in a table, all of it comes whatever the bound: nobody can say what changed."""
    table = world.company.tables["GL_Account"]
    table.put(("000000001",), {"FormattedAccount": "4000-01-00"}, stamp=False)
    for name in ("DateCreated", "TimeCreated", "UserCreatedKey", "DateUpdated", "TimeUpdated", "UserUpdatedKey"):
        table.columns.pop(name)
        table.rows["000000001",].pop(name, None)

    (record,) = world.read("gl-accounts", {"sinceDate": "20300101"})["records"]

    assert ("4000-01-00", {"date": "00000000", "time": "0"}) == (record["FormattedAccount"], record["_stamp"])
    assert "DateUpdated" not in record


# -- while somebody pages -------------------------------------------------------------------------------------------


def test_listing_is_settled_at_its_first_page(world: World) -> None:
    """Changes neither repeat nor skip a record: it comes once, as it is by then; what is new waits."""
    for number in range(1, 7):
        world.stamped(f"{number}", "20260210", str(number))
    clock_before = world.read("customers")["asOf"]
    first = world.read("customers", {"limit": 2})
    world.clock.advance(minutes=5)
    world.customer("5", CustomerName="Renamed")
    world.company.tables["AR_Customer"].remove(("00", "4"))
    world.customer("0")
    rest = []
    page = first
    while page["nextCursor"]:
        page = world.read("customers", {"cursor": page["nextCursor"]})
        rest += page["records"]

    assert ["1", "2"] == [record["CustomerNo"] for record in first["records"]]
    assert ["3", "5", "6"] == [record["CustomerNo"] for record in rest]
    assert "Renamed" == rest[1]["CustomerName"]
    assert {"date": "20260301", "time": "6.08333"} == rest[1]["_stamp"]
    assert clock_before == first["asOf"] == page["asOf"]
    assert ["5", "0"] == world.numbers({"sinceDate": "20260301", "sinceTime": "6"})[::-1]


def test_same_cursor_may_be_asked_again(world: World) -> None:
    """An answer that got lost on the way is asked for once more; other parameters beside a cursor count for nothing."""
    for number in range(5):
        world.stamped(f"{number}", "20260210", "9")
    cursor = world.read("customers", {"limit": 2})["nextCursor"]

    again = world.read("customers", {"cursor": cursor, "limit": 1, "sinceDate": "20300101"})

    assert again == world.read("customers", {"cursor": cursor})
    assert ["2", "3"] == [record["CustomerNo"] for record in again["records"]]


def test_last_page_has_no_cursor(world: World) -> None:
    """A listing that fits its page ends there, and an empty one at once."""
    assert (None, []) == tuple(world.read("customers")[name] for name in ("nextCursor", "records"))
    world.customer("1")
    world.customer("2")
    assert world.read("customers", {"limit": 2})["nextCursor"] is None
    assert world.read("customers/keys", {"limit": 1})["nextCursor"] is not None


def test_cursor_expires(make_world) -> None:
    """A cursor nobody used for its time is gone; using it begins the time anew."""
    world = make_world(cursor_age=600)
    for number in range(4):
        world.customer(f"{number}")
    cursor = world.read("customers", {"limit": 1})["nextCursor"]
    for _ in range(3):
        world.clock.advance(minutes=9)
        world.read("customers", {"cursor": cursor})
    world.clock.advance(minutes=11)

    assert (410, "CURSOR_EXPIRED") == problem(world.ask("/companies/ABC/customers", {"cursor": cursor}))


def test_number_of_cursors_is_bounded(make_world) -> None:
    """The listing unused for longest is forgotten when there are too many."""
    world = make_world(cursors=2)
    for number in range(3):
        world.customer(f"{number}")
    first, second = (world.read("customers", {"limit": 1})["nextCursor"] for _ in range(2))
    world.read("customers", {"cursor": first})
    third = world.read("customers", {"limit": 1})["nextCursor"]

    statuses = [world.ask("/companies/ABC/customers", {"cursor": cursor}).status for cursor in (first, second, third)]

    assert [200, 410, 200] == statuses


@pytest.mark.parametrize("change", ["company", "list", "keys", "position", "restart", "made up"])
def test_cursor_is_good_for_its_own_listing_only(change: str, world: World) -> None:
    """A cursor of another company, list or process, or one that was never given out, is refused as expired."""
    for number in range(3):
        world.customer(f"{number}")
    cursor = world.read("customers", {"limit": 1})["nextCursor"]
    path, sent = "/companies/ABC/customers", cursor
    match change:
        case "company":
            path = "/companies/XYZ/customers"
        case "list":
            path = "/companies/ABC/vendors"
        case "keys":
            path = "/companies/ABC/customers/keys"
        case "position":
            sent = cursor.rpartition(".")[0] + ".4"
        case "restart":
            world.restart()
        case _:
            sent = "nonsense"

    assert (410, "CURSOR_EXPIRED") == problem(world.ask(path, {"cursor": sent}))


def test_slow_page_ends_early(make_world) -> None:
    """A page that takes too long is handed out as far as it got, and its cursor goes on from there."""
    world = make_world(page_time=60)
    for number in range(600):
        world.customer(f"{number:07d}")

    class Slow(Beside):
        def nFind(self):  # noqa: N802 - Sage 100's name
            world.clock.advance(seconds=0.3)
            return self.thing.nFind()

    class Script(Beside):
        New = Slow

    world.dispatch = lambda: Script(world.script.dispatch("ProvideX.Script"))
    pages = list(world.pages("customers", {"limit": 1000, "fields": "CustomerName"}))

    assert [250, 250, 100] == [len(page["records"]) for page in pages]
    assert 600 == len({record["CustomerNo"] for page in pages for record in page["records"]})
