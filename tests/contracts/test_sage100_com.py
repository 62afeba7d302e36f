"""The fake Business Object Interface of Sage 100: sessions, reading, and what it refuses."""

from __future__ import annotations

import gc
import threading
from types import SimpleNamespace

import pytest

from mlconnector_sdk.testing import FakeProvideX
from mlconnector_sdk.testing.fakes._sage100_com_calls import Manner, Messages
from mlconnector_sdk.testing.fakes._sage100_com_catalog import OBJECTS
from mlconnector_sdk.testing.fakes._sage100_site import MAINTENANCE
from tests.contracts._sage100_boi import (
    COM_ERROR,
    HOME,
    SEPARATOR,
    enter,
    locks,
    log_on,
    members,
    new_site,
    opened,
    process,
)


@pytest.fixture(name="site")
def _site():
    """A site at six o'clock in the afternoon, UTC, with two companies, one user and some records."""
    return new_site()


# -- sessions -------------------------------------------------------------------------------------------------------


def test_a_home_is_needed_first(site):
    """Before `Init` there are no objects, and a folder that is no `Home` is an error."""
    script = FakeProvideX(site)

    with pytest.raises(COM_ERROR, match="Exception occurred"):
        script.NewObject("SY_Session")
    with pytest.raises(COM_ERROR):
        script.Init(r"C:\Sage\Sage 100")
    with pytest.raises(COM_ERROR):
        process(site, home=r"D:\Sage\MAS90\Home")
    assert process(site, home=HOME.lower() + "\\").NewObject("SY_Session") is not None


def test_wrong_user_and_wrong_company_are_0(site):
    """Users and companies that are not there answer 0 with a message, and a company needs a user."""
    session = process(site).NewObject("SY_Session")

    assert 0 == session.nSetCompany("ABC")
    assert 0 == session.nSetUser("sync", "wrong")
    assert "not valid" in session.sLastErrorMsg
    assert 1 == session.nSetUser("sync", "secret")
    assert [0, 0, 0] == [session.nSetCompany(code) for code in ("XYZ", "abc", "MAS_ABC")]
    assert 1 == session.nSetCompany("ABC")
    assert [0, 1] == [session.nSetCompany(code) for code in ("TST", "ABC")]


def test_a_company_may_be_closed_to_outsiders(site):
    """A company without the preference for external access does not open."""
    site.companies["ABC"].external_access = False
    session = process(site).NewObject("SY_Session")
    session.nSetUser("sync", "secret")

    assert 0 == session.nSetCompany("ABC")
    assert "external access" in session.sLastErrorMsg


def test_maintenance_stops_every_logon(site):
    """While `instlock.txt` is there nobody logs on, with the known text; who is inside stays."""
    script = process(site, sessions=2)
    inside = log_on(script)
    site.instlock = True
    outside = script.NewObject("SY_Session")

    assert (0, MAINTENANCE) == (outside.nSetUser("sync", "secret"), outside.sLastErrorMsg)
    assert (0, MAINTENANCE) == (outside.nLogon(), outside.sLastErrorMsg())
    assert 1 == inside.nSetModule("A/R")
    site.instlock = False
    assert (1, 1) == (outside.nLogon(), outside.nSetUser("sync", "secret"))


def test_licences_come_back_with_the_session(site):
    """A session sits on a licence until it cleans up, or until nobody holds it."""
    one, two, three = (process(site) for _ in range(3))
    first, second = log_on(one), log_on(two)
    late = three.NewObject("SY_Session")

    assert 0 == late.nSetUser("sync", "secret")
    assert 1 == first.nCleanup()
    assert 1 == late.nSetUser("sync", "secret")
    assert 2 == len(site.seated)
    del second, late
    gc.collect()
    assert [] == site.seated


def test_one_session_in_a_process(site):
    """A second session is refused until the first has gone."""
    script = process(site)
    session = log_on(script)

    assert script.NewObject("SY_Session") is None
    session.nCleanup()
    assert log_on(script) is not None


def test_dates_are_year_month_day(site):
    """The module date is `YYYYMMDD` and modules are those of the product."""
    session = log_on(process(site))

    assert [1, 0, 0, 0] == [session.nSetDate("A/R", day) for day in ("20260301", "03012026", "2026-03-01", "20260230")]
    assert [1, 0, 0] == [session.nSetModule(code) for code in ("S/O", "AR", "a/r")]
    assert (0, 0) == (session.nLookupTask("AR_Customer_bus"), session.nSetProgram(0))


def test_objects_want_their_context(site):
    """A service needs a module and its date, a maintenance object its own module and program."""
    script = process(site)
    session = script.NewObject("SY_Session")
    assert script.NewObject("AR_Customer_svc", session) is None
    session.nSetUser("sync", "secret")
    session.nSetCompany("ABC")
    session.nSetModule("A/R")
    assert script.NewObject("AR_Customer_svc", session) is None
    session.nSetDate("A/R", "20260301")

    assert script.NewObject("AR_Customer_svc", session) is not None
    assert script.NewObject("AR_Customer_bus", session) is None
    assert "program" in session.sLastErrorMsg
    enter(session, "A/R", "AR_CustomerContact_ui")
    assert script.NewObject("AR_Customer_bus", session) is None
    enter(session, "A/R", "AR_Customer_ui")
    assert script.NewObject("AR_Customer_bus", session) is not None
    assert script.NewObject("CI_Item_svc", session) is None


def test_objects_want_a_session_of_their_process(site):
    """Without a session, or with one of another process, there are no business objects."""
    script, other = process(site), process(site)
    session = log_on(other)

    with pytest.raises(COM_ERROR):
        script.NewObject("AR_Customer_svc")
    with pytest.raises(COM_ERROR):
        script.NewObject("AR_Customer_svc", session)


@pytest.mark.parametrize("name", OBJECTS)
def test_every_object_opens_in_its_own_program(site, name):
    """Each name of the table of objects can be had, and counts the records of its table."""
    found = opened(site, name)
    table = site.companies["ABC"].tables[OBJECTS[name].table]

    source = found.sGetDataSources().split(SEPARATOR)[0]
    assert len(table) == found.nGetRecordCount(source)
    assert int(len(table) > 0) == found.nMoveFirst()


def test_companies_are_listed_without_one_being_open(site):
    """The list of companies needs a user alone."""
    script = process(site)
    session = script.NewObject("SY_Session")
    session.nSetUser("sync", "secret")

    _, codes, names = script.NewObject("SY_Company_svc", session).nGetResultSets(
        "CompanyCode$", "CompanyName$", "", "", "", "", ""
    )
    assert (["ABC", "TST"], ["Company ABC", "Company TST"]) == (members(codes), members(names))


@pytest.mark.parametrize("refusal", ["null", "error"])
def test_a_role_without_the_task_gets_no_object(site, refusal):
    """Rights that lack make an object null or a COM error, as the site has it; an error costs the session."""
    site.users["sync"].deny("AR_Customer_ui", "View")
    script = process(site, refusal=refusal)
    session = log_on(script)

    if refusal == "null":
        assert script.NewObject("AR_Customer_svc", session) is None
        assert "not authorized" in session.sLastErrorMsg
    else:
        with pytest.raises(COM_ERROR):
            script.NewObject("AR_Customer_svc", session)
        with pytest.raises(COM_ERROR):
            session.nSetModule("A/R")


def test_a_com_error_spoils_the_session_and_its_objects(site):
    """After one COM error nothing gets through to the session any more; a new process does."""
    script = process(site)
    session = log_on(script)
    reader = script.NewObject("AR_Customer_svc", session)
    other = script.NewObject("AR_CustomerContact_svc", session)
    script.crash("nMoveFirst", text="Error #65: Window element does not exist")

    with pytest.raises(COM_ERROR) as caught:
        reader.nMoveFirst()
    assert "Error #65" in caught.value.excepinfo[2]
    for call in (other.nMoveFirst, session.nCleanup, lambda: session.sLastErrorMsg, lambda: other.nEOF):
        with pytest.raises(COM_ERROR):
            call()
    with pytest.raises(COM_ERROR):
        script.NewObject("AR_Customer_svc", session)
    assert log_on(process(site)) is not None


def test_objects_of_an_apartment_answer_in_their_thread(site):
    """Where objects live in an apartment, another thread's call is an error and spoils nothing."""
    reader = opened(site, "AR_Customer_svc", apartment=True)
    errors = []

    def elsewhere():
        try:
            reader.nMoveFirst()
        except COM_ERROR as error:
            errors.append(error.hresult)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert [-2147417842] == errors
    assert 1 == reader.nMoveFirst()


def test_each_dispatch_is_a_process_of_its_own(site):
    """`dispatch` stands for `Dispatch`: new processes with the same site, manner and troubles."""
    script = FakeProvideX(site, refusal="error")
    script.refuse("nSetUser", "Not today.")
    one, two = script.dispatch("ProvideX.Script"), script.dispatch("ProvideX.Script.1")
    for started in (one, two):
        started.Init(HOME)

    session = one.NewObject("SY_Session")
    assert (0, "Not today.") == (session.nSetUser("sync", "secret"), session.sLastErrorMsg)
    assert log_on(two) is not None
    assert 2 == script.dispatched
    script.manner = Manner(home=r"D:\MAS90\Home")
    with pytest.raises(COM_ERROR):
        script.dispatch("ProvideX.Script").Init(HOME)
    with pytest.raises(COM_ERROR, match="Invalid class string"):
        script.dispatch("ProvideX")


def test_messages_are_the_sites_own(site):
    """Texts that are not known can be any."""
    script = process(site, messages=Messages(bad_logon="Nope."))
    session = script.NewObject("SY_Session")

    session.nSetUser("nobody", "secret")
    assert "Nope." == session.sLastErrorMsg
    with pytest.raises(ValueError, match="never answers -1"):
        script.warn("nSetKey", "Careful.")


# -- reading --------------------------------------------------------------------------------------------------------


def test_columns_and_keys_are_listed(site):
    """Lists are joined by the separator; texts and dates end in a dollar sign, numbers and nothing else do not."""
    reader = opened(site, "AR_Customer_svc")
    columns = reader.sGetColumns(reader.sGetDataSources()).split(SEPARATOR)

    assert {"CustomerName$", "DateUpdated$", "TimeUpdated$", "CreditLimit", "UDF_DO_NOT_EMAIL$"} <= set(columns)
    assert ["ARDivisionNo$", "CustomerNo$"] == reader.sGetKeyColumns().split(SEPARATOR)
    assert ("", 0) == (reader.sGetColumns("AR_Nothing"), reader.nGetRecordCount("AR_Nothing"))


def test_values_come_behind_the_code(site):
    """A value follows the return code; a number comes as a number, or as text where text was passed."""
    reader = opened(site, "AR_Customer_svc")
    assert (0, "") == reader.nGetValue("CustomerName$", "")
    reader.nSetKeyValue("ARDivisionNo$", "01")
    reader.nSetKeyValue("CustomerNo$", "ABF")

    assert 1 == reader.nFind()
    assert (1, "Futures") == reader.nGetValue("CustomerName$", "")
    assert (1, "20260301") == reader.nGetValue("DateUpdated$", "")
    assert (1, "12.25") == reader.nGetValue("TIMEUPDATED$", "")
    assert (1, 1500.5) == reader.nGetValue("CreditLimit", 0.0)
    assert (1, "1500.5") == reader.nGetValue("CreditLimit", "")
    for wrong in ("CustomerName", "CreditLimit$", "Nothing$"):
        assert 0 == reader.nGetValue(wrong, "")[0]


def test_a_variant_by_reference_gets_the_value_itself(site):
    """Where the caller passes variants by reference, they are filled and the answer is the code alone."""
    reader = opened(site, "AR_Customer_svc")
    reader.nMoveFirst()
    name, first, second = (SimpleNamespace(varianttype=0x400C, value="") for _ in range(3))

    assert (1, "Forty-Two") == (reader.nGetValue("CustomerName$", name), name.value)
    assert 1 == reader.nGetResultSets("CustomerNo$", "CustomerName$", first, second, 'City$="Racine"', "", "")
    assert (["0000042", "ABF"], ["Forty-Two", "Futures"]) == (members(first.value), members(second.value))


def test_a_whole_record_is_one_text(site):
    """`nGetRecord` has the values of all columns, as many as `sGetColumns` lists."""
    reader = opened(site, "AR_Customer_svc")
    assert (0, "", "") == reader.nGetRecord("", "")
    assert "" == getattr(reader, "nGetOrigRecord$")()
    reader.nMoveFirst()
    columns = reader.sGetColumns("AR_Customer").split(SEPARATOR)

    code, record, _ = reader.nGetRecord("", "")
    values = dict(zip(columns, record.split(SEPARATOR), strict=True))
    assert (1, "Forty-Two", "0", "") == (code, values["CustomerName$"], values["CreditLimit"], values["ZipCode$"])
    assert record == getattr(reader, "nGetOrigRecord$")()


def test_the_parts_of_a_key_are_padded_with_nul_bytes(site):
    """All key columns but the last have NUL bytes up to their width, wherever they come out."""
    padded = "ABF" + 17 * "\0"
    contacts = opened(site, "AR_CustomerContact_svc")
    contacts.nMoveFirst()

    assert (1, padded) == contacts.nGetValue("CustomerNo$", "")
    assert (1, "ARTIE JOHN") == contacts.nGetValue("ContactCode$", "")
    key = "ARDivisionNo$+CustomerNo$+ContactCode$"
    _, keys, _ = contacts.nGetResultSets(key, key, "", "", f'CustomerNo$="{padded}" AND CustomerNo$="ABF"', "", "")
    assert [f"01{padded}ARTIE JOHN"] == members(keys)
    assert 1 == contacts.nSetKey(members(keys)[0])
    assert (1, "ABF") == opened_value(new_site(), padded=False)


def opened_value(site, **manner):
    """The customer number of the first contact."""
    contacts = opened(site, "AR_CustomerContact_svc", **manner)
    contacts.nMoveFirst()
    return contacts.nGetValue("CustomerNo$", "")


def walk(reader, column="CustomerNo$"):
    """One column of all records, as those read who trust `nEOF`."""
    found = []
    moved = reader.nMoveFirst()
    while moved and not reader.nEOF:
        found.append(reader.nGetValue(column, "")[1])
        moved = reader.nMoveNext()
    return found


def test_moving_goes_through_the_keys_in_order(site):
    """`nMoveFirst` and `nMoveNext` visit each record once and end with 0 and `nEOF`."""
    reader = opened(site, "AR_Customer_svc")

    assert ["0000042", "ABF"] == walk(reader)
    assert (0, 1, 1) == (reader.nMoveNext(), reader.nEOF, reader.nEOF())
    assert (1, 0) == (reader.nMoveFirst(), reader.nEOF)


def test_the_last_record_may_come_again_and_again(site):
    """Where `nMoveNext` repeats the last record, neither its code nor `nEOF` says so."""
    reader = opened(site, "AR_Customer_svc", repeats_last=True)
    moves = [reader.nMoveFirst(), *(reader.nMoveNext() for _ in range(4))]

    assert [1] * 5 == moves
    assert (0, (1, "ABF")) == (reader.nEOF, reader.nGetValue("CustomerNo$", ""))


def test_an_empty_table_has_no_first_record(site):
    """In a table without records there is nothing to move to."""
    reader = opened(site, "AP_Vendor_svc", repeats_last=True)

    assert (0, 1) == (reader.nMoveFirst(), reader.nEOF)
    assert (1, "", "") == reader.nGetResultSets("VendorNo$", "VendorName$", "", "", "", "", "")


def test_a_walk_meets_what_happens_meanwhile(site):
    """Records that come and go behind a reader's back are met or missed by their keys."""
    table = site.companies["ABC"].tables["AR_Customer"]
    reader = opened(site, "AR_Customer_svc")
    reader.nMoveFirst()
    table.remove(("00", "0000042"))
    table.put(("00", "0000050"), {})

    assert (1, "0000042") == reader.nGetValue("CustomerNo$", "")
    assert (1, (1, "0000050")) == (reader.nMoveNext(), reader.nGetValue("CustomerNo$", ""))


def test_a_browse_filter_narrows_the_walk(site):
    """Only keys that begin with the filter are visited."""
    reader = opened(site, "AR_Customer_svc")

    assert 1 == reader.nSetBrowseFilter("01")
    assert ["ABF"] == walk(reader)
    reader.nSetBrowseFilter("02")
    assert [] == walk(reader)
    reader.nSetBrowseFilter("")
    assert ["0000042", "ABF"] == walk(reader)


def test_an_index_changes_the_order(site):
    """An index that is known sorts the walk anew; another name is refused and changes nothing."""
    site.companies["ABC"].tables["AR_Customer"].put(("02", "ZZ"), {"CustomerName": "Alpha"})
    reader = opened(site, "AR_Customer_svc")

    assert (0, ["0000042", "ABF", "ZZ"]) == (reader.nSetIndex("kNothing"), walk(reader))
    assert (1, ["ZZ", "0000042", "ABF"]) == (reader.nSetIndex("kCustomerName"), walk(reader))
    assert 1 == reader.nFind("01ABF")
    assert (1, (1, "ZZ")) == (reader.nMoveNext(), reader.nGetValue("CustomerNo$", ""))


def test_lines_follow_their_header(site):
    """`oLines` sees the lines of the order found; of all orders before one is; and finding takes no record."""
    orders = opened(site, "SO_SalesOrder_bus")

    assert ["303-1", "303-2", "304-1", "304-2"] == walk(orders.oLines, "ItemCode$")
    assert 1 == orders.nFind("0000304")
    assert ["304-1", "304-2"] == walk(orders.oLines, "ItemCode$")
    assert set() == locks(site)
    key, condition = "SalesOrderNo$+LineKey$", 'SalesOrderNo$="0000303" OR SalesOrderNo$="0000999"'
    _, keys, items = orders.oLines.nGetResultSets(key, "ItemCode$", "", "", condition, "", "")
    assert (["0000303000001", "0000303000002"], ["303-1", "303-2"]) == (members(keys), members(items))


def test_what_an_object_does_not_have_is_an_attribute_error(site):
    """Services and inquiries write nothing, customers have no lines, and unknown names are no members."""
    service, inquiry = opened(site, "AR_Customer_svc"), opened(new_site(), "AR_InvoiceHistoryInquiry_bus")

    for found, names in ((service, ("nWrite", "nSetValue", "oLines", "nGetNextCustomerNo")), (inquiry, ("nWrite",))):
        for name in names:
            with pytest.raises(AttributeError, match="unknown"):
                getattr(found, name)
    assert walk(inquiry.oLines, "ItemCode$") == []
