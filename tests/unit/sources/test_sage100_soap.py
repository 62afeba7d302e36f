"""Sage 100 through its own web services: the description, the logon, faults, and what `check` says."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from mlconnector_sdk.errors import (
    AuthenticationError,
    ConfigurationError,
    ContractError,
    PermissionDeniedError,
    ServerFaultError,
    UnavailableError,
)
from mlconnector_sdk.retry import RetryPolicy
from mlconnector_sdk.sources.sage100 import Sage100Soap
from mlconnector_sdk.testing import FakeClock, FakeSage100
from tests.unit.sources._sage100_soap import NUMBERED, UDFS, calls, close_all, read, source_of, unreadable

URL = "https://erp.example/eBusinessWebServices/MasBasicWsdl.svc?wsdl"
XML = {"Content-Type": "text/xml"}


@pytest.fixture(name="clock")
def _clock() -> FakeClock:
    return FakeClock(datetime(2026, 3, 1, 18, tzinfo=UTC))


@pytest.fixture(name="erp")
def _erp(clock) -> Iterator[FakeSage100]:
    """A site with three customers, one contact and one order."""
    with FakeSage100(clock=clock, udfs=UDFS) as erp:
        for number in range(1, 4):
            erp.add_customer(f"{number:07d}", name=f"Customer {number}", email=f"c{number}@example.com")
        erp.add_contact("00-0000001", "A. BUYER", name="Ann Buyer", email="ann@example.com", primary=True)
        erp.add_order("00-0000002", [("PUMP-1", "Pump", 2, 50)])
        yield erp
        close_all()


def description(erp: FakeSage100) -> bytes:
    """The WSDL as the fake writes it."""
    source = source_of(erp)
    source.present("customers")
    erp.keep_bodies = True
    other = source_of(erp)
    other.present("customers")
    erp.keep_bodies = False
    body = next(entry.response_body for entry in erp.log if entry.method == "GET" and entry.response_body)
    erp.log.clear()
    return body


# -- the description ------------------------------------------------------------------------------------------------


def test_a_host_inside_the_network_is_never_asked(erp):
    """Whatever host the WSDL names in imports and address, everything is asked where the caller said."""
    erp.setup.internal_host = "http://workstation.workgroup.invalid"

    assert set(read(source_of(erp), "customers")) == {"00-0000001", "00-0000002", "00-0000003"}
    assert {"/eBusinessWebServices/MasBasicWsdl.svc"} == {entry.path for entry in erp.log}
    assert {"wsdl", "xsd=xsd0", "xsd=xsd1"} == {
        entry.request.raw_path.partition("?")[2] for entry in erp.requests("GET")
    }


def test_everything_is_asked_at_the_base_url(erp):
    """A description's address copied from inside the network works with the server's address from outside."""
    source = source_of(erp)
    inside = Sage100Soap(
        URL.replace("erp.example", "sage.invalid"), base_url=erp.url, username="mcsync", password="secret", **NUMBERED
    )
    connection = inside.connect(company="ABC", zone=source._zone, retry=RetryPolicy.immediate())

    assert connection.now() == erp.present()
    assert connection.address == erp.soap_url
    connection.close()


@pytest.mark.parametrize("place", ["http://other.invalid/schema.xsd", "/../admin?xsd=xsd0", "file:///etc/passwd"])
def test_documents_from_elsewhere_are_not_loaded(erp, place):
    """A reference that leads out of the service's folder is told with its address, and not followed."""
    wsdl = description(erp).replace(f"{erp.soap_url}?xsd=xsd0".encode(), place.encode())
    erp.fail(status=200, body=wsdl, headers=XML, method="GET", nth=1)

    with pytest.raises(ContractError, match="not loaded") as caught:
        read(source_of(erp, parallel=1), "customers")
    assert place.rpartition("/")[2] in str(caught.value)
    assert len(erp.log) == 1


def test_the_document_that_cannot_be_had_is_named(erp):
    """An error on the way to the description says which address failed."""
    erp.fail(status=404, body="<html></html>", method="GET", nth=2)

    with pytest.raises(ConfigurationError) as caught:
        read(source_of(erp), "customers")
    assert f"{erp.soap_url}?xsd=xsd0" in str(caught.value)


@pytest.mark.parametrize("sign", ["soap12", "addressing"])
def test_an_entry_point_of_the_other_kind_is_told(erp, sign):
    """What speaks SOAP 1.2 or wants WS-Addressing is no use: the message names the entry point to take."""
    wsdl = description(erp)
    wsdl = (
        wsdl.replace(b"http://schemas.xmlsoap.org/wsdl/soap/", b"http://schemas.xmlsoap.org/wsdl/soap12/")
        if sign == "soap12"
        else wsdl.replace(b"</wsdl:definitions>", b'<w:UsingAddressing xmlns:w="urn:w"/></wsdl:definitions>')
    )
    erp.fail(status=200, body=wsdl, headers=XML, method="GET", nth=1)

    with pytest.raises(ContractError, match="use the basic entry point"):
        read(source_of(erp), "customers")
    assert calls(erp.log) == {}


def test_headers_of_ws_addressing_are_not_sent(erp):
    """Descriptions name actions all the same; the basic entry point gets plain SOAP 1.1."""
    named = b'<wsdl:input xmlns:wsaw="http://www.w3.org/2006/05/addressing/wsdl" wsaw:Action="urn:do" message='
    erp.fail(
        status=200, body=description(erp).replace(b"<wsdl:input message=", named), headers=XML, method="GET", nth=1
    )

    read(source_of(erp), "customers")
    assert not any(b"addressing" in entry.request.body for entry in erp.log)


def test_the_page_beside_the_description_is_told(erp):
    """An address without ?wsdl leads to a page for people: the message says what is missing."""
    source = source_of(erp)
    api = Sage100Soap(erp.soap_url, username="mcsync", password="secret")
    connection = api.connect(company="ABC", zone=source._zone, retry=RetryPolicy.immediate())

    with pytest.raises(ConfigurationError, match=r"\?wsdl"):
        connection.now()
    connection.close()


def test_the_description_is_loaded_once(erp):
    """Many calls, one description."""
    source = source_of(erp)
    for stream in source.streams:
        read(source, stream)

    assert len(erp.requests("GET")) == 3
    assert source.request_count == len(erp.log)


# -- the logon ------------------------------------------------------------------------------------------------------


def test_a_wrong_password_is_sent_once(erp):
    """However many calls are under way at once, a refused logon is not tried again, not even by the next read."""
    source = source_of(erp, password="wrong", parallel=4)

    for stream in source.streams:
        with pytest.raises(AuthenticationError, match="Enable Web Services"):
            read(source, stream)
    assert sum(calls(erp.log).values()) == 1
    assert erp.user.failures == 1


def test_a_logon_that_was_mended_works_after_closing(erp):
    """A closed source starts anew: a box that was ticked meanwhile is found."""
    erp.user.web_services = False
    source = source_of(erp)
    with pytest.raises(AuthenticationError):
        read(source, "customers")
    erp.user.web_services = True
    with pytest.raises(AuthenticationError):
        read(source, "customers")

    source.close()
    assert len(read(source, "customers")) == 3


@pytest.mark.parametrize("level", ["user", "site", "company"])
def test_each_level_of_enabling_is_told(erp, level):
    """Web services are enabled for the system, the company and the user; what is missing stops the run."""
    {"user": erp.user, "site": erp.site, "company": erp.company}[level].web_services = False

    with pytest.raises(AuthenticationError, match=r"(?i)web services"):
        read(source_of(erp), "customers")


def test_a_company_that_is_not_there_is_told(erp):
    """A wrong company code stops the run with its name."""
    with pytest.raises(AuthenticationError, match="company XYZ"):
        read(source_of(erp, company="XYZ"), "customers")


def test_a_missing_right_is_told(erp):
    """A role that may not see sales orders stops what needs them, and says what to allow."""
    erp.user.deny("SO_SalesOrder_ui", "View")

    with pytest.raises(PermissionDeniedError, match="Sales Order Entry"):
        read(source_of(erp), "orders")


def test_maintenance_is_waited_out(erp):
    """While the administrator keeps everybody out, it is no matter of passwords."""
    erp.site.instlock = True

    with pytest.raises(UnavailableError, match="maintenance"):
        read(source_of(erp), "customers")


def test_nothing_secret_is_told(erp, caplog):
    """Neither log nor error nor representation holds the password, and no error shows an envelope."""
    caplog.set_level(logging.DEBUG)
    api = Sage100Soap(erp.wsdl_url, username="mcsync", password="s3cret-word", **NUMBERED)
    source = source_of(erp, password="s3cret-word")

    with pytest.raises(AuthenticationError) as caught:
        read(source, "customers")
    shown = f"{api!r}{source!r}{caught.value!s}{caught.value!r}{caplog.text}"
    assert "s3cret-word" not in shown
    assert "Envelope" not in shown


# -- faults ---------------------------------------------------------------------------------------------------------


def test_a_record_on_which_the_service_fails_is_set_aside(erp, clock):
    """After a few tries the record is set aside with time, company and key, for whoever reads the event log."""
    source = source_of(erp, parallel=1, known={"customers": ["00-0000001", "00-0000002", "00-0000003"]})
    source.present("customers")
    erp.soap_fault(times=3)
    pages = list(source.read("customers"))

    [row] = [row for page in pages for row in page.unreadable]
    assert ("00-0000001", "exception_occurred") == (row.key, row.reason)
    assert all(text in row.message for text in ("ABC", "00-0000001", f"{clock():%Y-%m-%d %H:%M:%S}", "event log"))
    assert {"00-0000002", "00-0000003"} == {record.key for page in pages for record in page}


def test_a_record_that_was_set_aside_is_read_again_by_key(erp):
    """The next attempt asks Sage 100 itself; the row that was kept says why there is nothing in it."""
    source = source_of(erp, parallel=1, known={"customers": ["00-0000001"]})
    source.present("customers")
    erp.soap_fault(times=3)
    row = unreadable(source, "customers")["00-0000001"]

    assert [record.name for page in source.fetch("customers", [row.key]) for record in page] == ["Customer 1"]
    with pytest.raises(Exception, match="event log"):
        source.parse("customers", row.raw)


@pytest.mark.parametrize(
    ("text", "code", "kind"),
    [
        ("An exception occurred.", "Internal", ServerFaultError),
        ("The record is in use by MARY.", "Internal", UnavailableError),
        ("Something else.", "XX_Unheard", ContractError),
    ],
)
def test_a_service_that_fails_on_everything_stops_the_read(erp, text, code, kind):
    """When one record after the other fails, it is not the records: nothing more is asked."""
    for number in range(4, 40):
        erp.add_customer(f"{number:07d}")
    source = source_of(erp, parallel=1, known={"customers": [f"00-{number:07d}" for number in range(1, 40)]})
    source.present("customers")
    erp.soap_fault(text, code)

    with pytest.raises(kind):
        read(source, "customers")
    assert calls(erp.log)["GetCustomer"] < 40


def test_a_held_record_is_tried_again_and_then_set_aside(erp):
    """Somebody may have a record open for hours: it waits its turn, and the others are read."""
    source = source_of(erp, parallel=1, lock_patterns=["belegt"], known={"customers": ["00-0000001", "00-0000002"]})
    source.present("customers")
    erp.soap_fault("Satz ist Belegt", times=6)
    rows = unreadable(source, "customers")

    assert {"00-0000001": "locked"} == {key: row.reason for key, row in rows.items()}
    erp.faults.clear()
    assert set(read(source, "customers")) >= {"00-0000001", "00-0000002"}


@pytest.mark.parametrize(
    ("true", "spoiling"),
    [
        (rb"<CreditLimit>0", b"<CreditLimit>a lot"),
        (rb"(?s)<GetCustomerResult>.*</GetCustomerResult>", b'<GetCustomerResult i:nil="true"/>'),
        (rb"(?s)<GetCustomerResult>.*</GetCustomerResult>", b""),
        (rb"<CustomerNo>\d+", b"<CustomerNo>0000077"),
    ],
)
def test_an_answer_with_a_value_that_is_none_concerns_its_record_alone(erp, true, spoiling):
    """What cannot be read as the description says is set aside; the others are read."""
    erp.keep_bodies = True
    source = source_of(erp, parallel=1, known={"customers": ["00-0000001", "00-0000002"]})
    read(source, "customers")
    body = next(entry.response_body for entry in erp.log if b"<GetCustomerResponse" in entry.response_body)
    spoilt = re.sub(true, spoiling, body)
    erp.fail_next(200, body=spoilt, headers=XML, method="POST")

    rows = unreadable(source, "customers")
    assert spoilt != body
    assert ["soap"] == [row.reason for row in rows.values()]


def test_a_page_of_the_web_server_is_waited_out(erp):
    """IIS that is starting answers with pages; they are no answers, and no end."""
    source = source_of(erp)
    source.present("customers")
    erp.html_error(503, times=2)

    assert len(read(source, "customers")) == 3


def test_calls_at_once_are_bounded(erp):
    """Never more calls at a time than the setting says."""
    for number in range(4, 60):
        erp.add_customer(f"{number:07d}")
    erp.latency = 0.002
    read(source_of(erp, parallel=3), "customers")

    assert erp.max_in_flight == 3


# -- columns of the site's own --------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["", "$"])
def test_own_columns_are_found_with_and_without_a_dollar_sign(erp, suffix):
    """Whether the service writes a dollar sign behind a column's name makes no difference."""
    erp.setup.exposed.suffix = suffix
    erp.edit("AR_Customer", "00-0000002", UDF_DO_NOT_EMAIL="Y")
    records = read(source_of(erp, own={"optout_field": "UDF_DO_NOT_EMAIL"}), "customers")

    assert ["00-0000002"] == [key for key, record in records.items() if record.opted_out]
    assert "Y" == records["00-0000002"].raw["UDF_DO_NOT_EMAIL"]


def test_an_opt_out_that_is_not_exposed_stops_the_run(erp):
    """A column that does not come is no consent: the message says where to expose it."""
    erp.setup.exposed.columns.clear()

    with pytest.raises(ConfigurationError, match=r"UDF_DO_NOT_EMAIL.*configuration utility"):
        read(source_of(erp, own={"optout_field": "UDF_DO_NOT_EMAIL"}), "customers")


@pytest.mark.parametrize("blanks", ["empty", "nil", "absent"])
def test_blanks_come_in_any_form(erp, blanks):
    """Empty, nil and missing members are the same: nothing."""
    erp.setup.blanks = blanks
    record = read(source_of(erp), "customers")["00-0000003"]

    assert ("", "c3@example.com", None) == (record.address.city, record.email, record.last_activity)


# -- check ----------------------------------------------------------------------------------------------------------


def rows_of(source) -> dict[str, object]:
    """The rows of a check by what they are about."""
    return {row.what.partition(" http")[0]: row for row in source.check()}


def test_check_says_what_works_and_what_is_never_seen(erp):
    """Contract, logon, clock and streams are tried; what this API cannot see stands there in a row each."""
    source = source_of(erp)
    source.attach(clock=erp.clock)
    rows = rows_of(source)

    assert all(row.ok for row in rows.values()), [str(row) for row in rows.values()]
    assert {"address", "sign-in", "clock", "stream customers", "stream contacts", "stream orders"} <= set(rows)
    seen = " ".join(rows)
    assert all(what in seen for what in ("new customers", "completed orders", "deletions", "contacts", "suppliers"))


def test_check_without_a_beginning_says_what_to_give(erp):
    """When nothing is known and nothing is told, nothing would ever be found."""
    row = rows_of(source_of(erp, first_order="", first_customers=()))["where to begin"]

    assert not row.ok
    assert "first_order" in row.cure


@pytest.mark.parametrize(
    ("change", "what", "cure"),
    [
        ({"password": "wrong"}, "sign-in", "Enable Web Services"),
        ({"company": "XYZ"}, "sign-in", "company's code"),
    ],
)
def test_check_ends_with_what_is_wrong(erp, change, what, cure):
    """One attempt, one row that is not in order, and its cure."""
    *_, last = source_of(erp, **change).check()

    assert (what, False) == (last.what, last.ok)
    assert cure in last.cure
    assert calls(erp.log)["GetCustomer"] == 1


@pytest.mark.parametrize(("text", "code", "ok"), [("too long", "CI_CharLength", True), ("odd", "XX", False)])
def test_a_probe_that_is_no_key_here_proves_the_logon_all_the_same(erp, text, code, ok):
    """Older releases have shorter numbers: a fault about the key's form comes after the logon; others need not."""
    source = source_of(erp)
    source.present("customers")
    erp.soap_fault(text, code, nth=2)

    assert ok == rows_of(source)["sign-in"].ok


def test_check_names_an_address_that_leads_nowhere(erp):
    """A wrong path is told with the address and what to check."""
    erp.fail(status=404, body="<html></html>", method="GET")
    [row] = source_of(erp).check()

    assert not row.ok
    assert erp.soap_url in row.what
    assert "wsdl_url" in row.cure


# -- settings -------------------------------------------------------------------------------------------------------


def test_keys_may_be_told_by_a_function(erp):
    """It is asked with each read, and not before."""
    asked = []

    def told():
        asked.append(1)
        return [erp.add_customer(f"00-NEW{len(asked)}")]

    source = source_of(erp, keys={"customers": told})
    assert asked == []
    assert "00-NEW1" in read(source, "customers")
    assert "00-NEW2" in read(source, "customers")


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"wsdl_url": "erp.example"}, "wsdl_url"),
        ({"wsdl_url": URL.replace("https", "http")}, "allow_http"),
        ({"wsdl_url": URL.replace("//", "//mary:pw@")}, "wsdl_url"),
        ({"base_url": "http://erp.example"}, "base_url"),
        ({"base_url": "https://erp.example/other"}, "base_url"),
        ({"username": " "}, "username"),
        ({"gap": 0}, "gap"),
        ({"parallel": 0}, "parallel"),
        ({"recent_orders": -1}, "recent_orders"),
        ({"timeout": 0}, "timeout"),
        ({"lock_patterns": "busy"}, "lock_patterns"),
        ({"probe_customer": "ABF"}, "probe_customer"),
        ({"first_customers": "00-0000001"}, "first_customers"),
        ({"first_customers": ["00-ABF"]}, "first_customers"),
        ({"first_order": "W1"}, "first_order"),
        ({"first_order": "0"}, "first_order"),
        ({"keys": {"suppliers": []}}, "suppliers"),
        ({"keys": {"customers": "00-ABF"}}, "keys"),
        ({"keys": {"customers": ["ABF"]}}, "01-ABF"),
        ({"keys": {"contacts": ["01-ABF"]}}, "A. BUYER"),
    ],
)
def test_wrong_settings_are_told_at_once(change, names):
    """A wrong setting is named before anything is sent."""
    settings = {"wsdl_url": URL, "username": "mcsync", "password": "secret", **change}

    with pytest.raises(ConfigurationError, match=names):
        Sage100Soap(settings.pop("wsdl_url"), **settings)
