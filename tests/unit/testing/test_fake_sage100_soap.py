"""The web service of a fake Sage 100: calls after the schema, rights, refusals, updates, orders, its description."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import httpx
import pytest
import zeep

from mlconnector_sdk.testing import FakeClock, FakeSage100

LOGON = {"Username": "mcsync", "Password": "secret"}
UDFS = {"AR_Customer": {"UDF_DO_NOT_EMAIL": "Y/N", "UDF_SCORE": "6.2"}}
ENVELOPE = (
    '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body>'
    '<{op} xmlns="http://mas90.sage.com/ws">{inner}</{op}></e:Body></e:Envelope>'
)
GIVEN = "<logon><Password>secret</Password><Username>mcsync</Username></logon><companyCode>ABC</companyCode>"
CUSTOMER = "<customer><ARDivisionNo>00</ARDivisionNo><CustomerNo>0000042</CustomerNo>{}</customer>"
MAINTENANCE = "The administrator is currently maintaining the system. Try again later."


@pytest.fixture(name="clock")
def _clock():
    return FakeClock(datetime(2026, 3, 2, 15, 30, 7, tzinfo=UTC))


@pytest.fixture(name="erp")
def _erp(clock):
    with FakeSage100(clock=clock, udfs=UDFS) as fake:
        fake.add_customer("42", name="Harbor Pumps ", email="a@b.org", CreditLimit=500, UDF_DO_NOT_EMAIL="N")
        yield fake


@pytest.fixture(name="service")
def _service(erp):
    return zeep.Client(erp.wsdl_url).service


def row_of(erp):
    """The stored customer."""
    return erp.table("AR_Customer").rows["00", "0000042"]


def post(erp, operation, inner, **headers):
    """The answer to a call written by hand."""
    body = ENVELOPE.format(op=operation, inner=inner)
    named = {"Content-Type": "text/xml", "SOAPAction": f"http://mas90.sage.com/ws/IMas/{operation}"}
    return httpx.post(erp.soap_url, content=body, headers={**named, **headers})


def refusal(call):
    """Code and text of the fault that a call gets."""
    with pytest.raises(zeep.exceptions.Fault) as refused:
        call()
    return refused.value.code.rpartition(":")[2], refused.value.message


def test_a_customer_is_shown_with_blanks_and_local_times(service):
    """Numbers keep their scale, blank dates are nil, stamps are local to the second, fields come by their names."""
    customer = service.GetCustomer(LOGON, "ABC", "00", "0000042")

    assert ("Harbor Pumps ", Decimal("500.00"), None) == (
        customer.CustomerName,
        customer.CreditLimit,
        customer.DateLastPayment,
    )
    assert (datetime(2026, 3, 2, 9, 30, 7), datetime(2026, 3, 2)) == (
        customer.DateTimeUpdated,
        customer.DateEstablished,
    )
    fields = {field.MasFieldName: field.Value for field in customer.OtherFields.Field}
    assert {"UDF_DO_NOT_EMAIL": "N", "UDF_SCORE": "0"} == fields


def test_what_travels_is_as_the_site_is_set_up(erp, service):
    """Only exposed columns travel, with a dollar sign where the site has it; blanks may be nil or left out."""
    erp.setup.exposed.columns["AR_Customer"].remove("UDF_SCORE")
    erp.setup.exposed.suffix = "$"
    (field,) = service.GetCustomer(LOGON, "ABC", "00", "0000042").OtherFields.Field
    asked = GIVEN + "<arDivisionNo>00</arDivisionNo><customerNo>0000042</customerNo>"
    shown = {}
    for blanks in ("empty", "nil", "absent"):
        erp.setup.blanks = blanks
        shown[blanks] = post(erp, "GetCustomer", asked).text

    assert "UDF_DO_NOT_EMAIL$" == field.MasFieldName
    assert "<City></City>" in shown["empty"]
    assert '<City i:nil="true"/>' in shown["nil"]
    assert "<City" not in shown["absent"]
    assert '<DateLastPayment i:nil="true"/>' in shown["absent"]


def test_an_unchanged_object_sent_back_writes_nothing(erp, service, clock):
    """Get and update without a change moves no stamp."""
    clock.advance(hours=1)
    service.UpdateCustomer(LOGON, "ABC", service.GetCustomer(LOGON, "ABC", "00", "0000042"))

    assert "9.50194" == row_of(erp)["TimeUpdated"]


def test_an_update_writes_what_differs(erp, service, clock):
    """Members and fields that differ are written under the caller's key; nil leaves alone, the null date blanks."""
    customer = service.GetCustomer(LOGON, "ABC", "00", "0000042")
    clock.advance(hours=1)
    customer.EmailAddress = None
    customer.City = "Leeds"
    customer.OtherFields.Field[0].Value = "Y"
    customer.OtherFields.Field[1].Value = "7.5"
    customer.DateEstablished = service.GetContractInformation().NullDateTime
    service.UpdateCustomer(LOGON, "ABC", customer)

    row = row_of(erp)
    assert ("a@b.org", "Leeds", "Y", Decimal("7.50"), "") == (
        row["EmailAddress"],
        row["City"],
        row["UDF_DO_NOT_EMAIL"],
        row["UDF_SCORE"],
        row["DateEstablished"],
    )
    assert ("10.50194", erp.user.key) == (row["TimeUpdated"], row["UserUpdatedKey"])


def field(name, value):
    """Other fields with one in them."""
    return {"Field": [{"MasFieldName": name, "Value": value}]}


@pytest.mark.parametrize(
    ("member", "value", "code", "text"),
    [
        ("ZipCode", "00000", "CI_NOF", "column ZipCode$: The ZIP Code is not on file."),
        ("State", "WIS", "CI_CharLength", "column State$: The State is greater than 2 character(s)."),
        ("CreditHold", "X", "Internal", "column CreditHold$: The Credit Hold failed validation on Y,N."),
        ("CurrentBalance", 5, "Internal", "column CurrentBalance: The Current Balance is read only."),
        ("DateTimeUpdated", datetime(2026, 1, 1), "Internal", "The DateTimeUpdated is read only."),
        ("CustomerName", None, "Internal", "column CustomerName$: The Customer Name is required."),
        ("OtherFields", field("UDF_X", "Y"), "Internal", "column UDF_X: The column is invalid."),
        ("OtherFields", field("UDF_SCORE", "much"), "Internal", "column UDF_SCORE: The SCORE is not numeric."),
        ("OtherFields", field("UDF_DO_NOT_EMAIL", "y"), "Internal", "The DO NOT EMAIL failed validation on Y,N."),
    ],
)
def test_values_that_are_refused_name_their_column(erp, service, member, value, code, text):
    """Nothing is written of an object with one bad value, and the fault says which it was."""
    customer = service.GetCustomer(LOGON, "ABC", "00", "0000042")
    customer.City = "Leeds"
    customer[member] = value

    found = refusal(lambda: service.UpdateCustomer(LOGON, "ABC", customer))

    assert code == found[0]
    assert found[1].startswith("Could not set AR_Customer_bus column ")
    assert found[1].endswith(text)
    assert "" == row_of(erp)["City"]


def test_a_record_somebody_edits_can_be_read_and_not_written(erp, service):
    """A lock stops update and delete, and nothing else, until it is gone."""
    customer = service.GetCustomer(LOGON, "ABC", "00", "0000042")
    customer.City = "Leeds"
    erp.lock_record("00-0000042", by="JIM")
    held = [
        refusal(lambda: service.UpdateCustomer(LOGON, "ABC", customer)),
        refusal(lambda: service.DeleteCustomer(LOGON, "ABC", "00", "0000042")),
    ]
    service.GetCustomer(LOGON, "ABC", "00", "0000042")
    erp.unlock_record("00-0000042")
    service.UpdateCustomer(LOGON, "ABC", customer)

    assert [("Internal", "The record is in use by JIM.")] * 2 == held
    assert "Leeds" == row_of(erp)["City"]


def test_all_three_switches_and_the_password_are_needed(erp, service):
    """System, company and user must be enabled for web services; what is wrong about a logon is not told."""

    def ask(password="secret", company="ABC"):
        return service.GetCustomer({"Username": "mcsync", "Password": password}, company, "00", "0000042")

    def refused(**asked):
        return refusal(lambda: ask(**asked))[1]

    logon = (
        "Logon failure: The user logon or password does not match or the user logon is not enabled for web services."
    )
    assert logon == refused(password="wrong")
    erp.user.web_services = False
    assert logon == refused()
    erp.user.web_services = True
    erp.site.web_services = False
    assert logon == refused()
    erp.site.web_services = True
    erp.company.web_services = False
    assert refused().startswith("Company ABC does not exist")
    erp.company.web_services = True
    assert refused(company="XYZ").startswith("Company XYZ does not exist")
    erp.site.instlock = True
    assert refused() == MAINTENANCE
    erp.site.instlock = False
    assert "0000042" == ask().CustomerNo


def test_rights_count_by_task_and_action(erp, service):
    """A user who may only view a task can get, and can neither create, update nor delete."""
    customer = service.GetCustomer(LOGON, "ABC", "00", "0000042")
    erp.user.deny("AR_Customer_ui", "Create", "Modify", "Remove")
    erp.user.deny("SO_SalesOrder_ui")
    text = "No Access - you are not authorized to perform this action"

    for call in (
        lambda: service.UpdateCustomer(LOGON, "ABC", customer),
        lambda: service.CreateCustomer(LOGON, "ABC", customer),
        lambda: service.DeleteCustomer(LOGON, "ABC", "00", "0000042"),
        lambda: service.GetNextCustomerNo(LOGON, "ABC"),
        lambda: service.GetSalesOrder(LOGON, "ABC", "0000001"),
    ):
        assert text == refusal(call)[1]
    assert "0000042" == service.GetCustomer(LOGON, "ABC", "00", "0000042").CustomerNo
    assert [] == erp.setup.numbers_used


def test_numbers_are_used_up_by_asking(erp, service):
    """Each question for the next number takes one, whether a record follows or not."""
    numbers = [service.GetNextCustomerNo(LOGON, "ABC"), service.GetNextCustomerNo(LOGON, "ABC")]
    order = service.GetNextSalesOrderNo(LOGON, "ABC")

    assert (["0000001", "0000002"], "0000001") == (numbers, order)
    assert [*numbers, order] == erp.setup.numbers_used
    assert "00-0000003" == erp.add_customer()


def test_records_are_created_and_deleted_by_key(erp, service):
    """What a program needs must be there; a key is given once; contacts need their customer."""
    contact = {"ARDivisionNo": "00", "CustomerNo": "0000042", "ContactCode": "A. BUYER", "ContactName": "Ann"}
    service.CreateCustomerContact(LOGON, "ABC", {**contact, "EmailAddress": "ann@b.org"})
    shown = service.GetCustomerContact(LOGON, "ABC", "00", "0000042", "A. BUYER")
    shown.ContactTitle = "Owner"
    service.UpdateCustomerContact(LOGON, "ABC", shown)
    needed = {"ARDivisionNo": "00", "CustomerNo": "0000043", "CustomerName": "B", "SalespersonNo": "0100"}

    assert "Owner" == erp.table("AR_CustomerContact").rows["00", "0000042", "A. BUYER"]["ContactTitle"]
    assert "WS_AlreadyExists" == refusal(lambda: service.CreateCustomerContact(LOGON, "ABC", contact))[0]
    orphan = {**contact, "CustomerNo": "0000099"}
    assert "CI_NoKey" == refusal(lambda: service.CreateCustomerContact(LOGON, "ABC", orphan))[0]
    assert "Price Level is required" in refusal(lambda: service.CreateCustomer(LOGON, "ABC", needed))[1]
    keyless = {**needed, "PriceLevel": "1", "CustomerNo": ""}
    assert "CI_NoKey" == refusal(lambda: service.CreateCustomer(LOGON, "ABC", keyless))[0]
    service.CreateCustomer(LOGON, "ABC", {**needed, "PriceLevel": "1"})
    service.DeleteCustomer(LOGON, "ABC", "00", "0000043")
    service.DeleteCustomerContact(LOGON, "ABC", "00", "0000042", "A. BUYER")
    assert "Customer Contact does not exist." == refusal(
        lambda: service.DeleteCustomerContact(LOGON, "ABC", "00", "0000042", "A. BUYER")
    )[1]  # fmt: skip
    assert [("00", "0000042")] == list(erp.table("AR_Customer").rows)


def test_orders_are_seen_while_they_are_open(erp, service):
    """An open order is shown with its lines; a complete one does not exist any more."""
    number = erp.add_order("00-0000042", [("A-1", "Apple", 2, "3.50"), {"ItemType": "4", "CommentText": "Ring"}])
    order = service.GetSalesOrder(LOGON, "ABC", number)
    erp.complete_order(number)

    lines = order.Lines.SalesOrderLine
    assert (Decimal("7.00"), "Harbor Pumps ") == (order.TaxableAmt, order.BillToName)
    assert [("A-1", Decimal("7.00")), (None, Decimal(0))] == [(line.ItemCode, line.ExtensionAmt) for line in lines]
    assert order.Payments is None
    assert ("CI_NoKey", "Sales Order does not exist.") == refusal(lambda: service.GetSalesOrder(LOGON, "ABC", number))


def test_an_order_is_written_from_its_template(erp, service):
    """Template, preview, creation, update and deletion of an order, with the customer's and the item's defaults."""
    erp.add_order("00-0000042", [("A-1", "Apple", 2, "3.50")], number="7")
    order = service.GetSalesOrderTemplate(LOGON, "ABC", "00", "0000042")
    order.SalesOrderNo = "0000900"
    order.Lines = {"SalesOrderLine": [{"ItemCode": "A-1", "QuantityOrdered": 3}]}
    preview = service.PreviewSalesOrder(LOGON, "ABC", order)
    stored_by_preview = ("0000900",) in erp.table("SO_SalesOrderHeader").rows
    service.CreateSalesOrder(LOGON, "ABC", order)
    made = service.GetSalesOrder(LOGON, "ABC", "0000900")
    made.CustomerPONo = "PO-1"
    service.UpdateSalesOrder(LOGON, "ABC", made)
    history = dict(erp.table("SO_SalesOrderHistoryHeader").rows["0000900",])
    service.DeleteSalesOrder(LOGON, "ABC", "0000900")

    assert (Decimal("10.50"), False) == (preview.TaxableAmt, stored_by_preview)
    assert (Decimal("10.50"), datetime(2026, 3, 2), "S") == (made.TaxableAmt, made.OrderDate, made.OrderType)
    assert ("A", "PO-1") == (history["OrderStatus"], history["CustomerPONo"])
    assert "X" == erp.table("SO_SalesOrderHistoryHeader").rows["0000900",]["OrderStatus"]


def test_orders_that_cannot_be_are_refused(erp, service):
    """Unknown customers and items are not on file; read-only amounts and changed lines are refused."""
    number = erp.add_order("00-0000042", [("A-1", "Apple", 2, "3.50")])
    order = service.GetSalesOrder(LOGON, "ABC", number)
    new = {"SalesOrderNo": "0000900", "ARDivisionNo": "00", "CustomerNo": "0000042"}
    strange = {**new, "Lines": {"SalesOrderLine": [{"ItemCode": "NOTHING"}]}}

    assert "CI_NOF" == refusal(lambda: service.GetSalesOrderTemplate(LOGON, "ABC", "00", "0000099"))[0]
    assert "CI_NOF" == refusal(lambda: service.CreateSalesOrder(LOGON, "ABC", {**new, "CustomerNo": "9"}))[0]
    assert "CI_NOF" == refusal(lambda: service.CreateSalesOrder(LOGON, "ABC", strange))[0]
    order.Lines = {"SalesOrderLine": []}
    assert "An exception occurred." == refusal(lambda: service.UpdateSalesOrder(LOGON, "ABC", order))[1]
    order.Lines = None
    order.TaxableAmt = 1
    assert "read only" in refusal(lambda: service.UpdateSalesOrder(LOGON, "ABC", order))[1]
    assert [(number,)] == list(erp.table("SO_SalesOrderHeader").rows)


def test_diagnostics_are_for_the_server_itself(erp, service):
    """Callers from elsewhere get nothing, unless the site allows it."""
    text = "'AllowRemoteDiagnostics' must be set to 'True' to access this method remotely."
    assert text == refusal(service.GetDiagnosticInformation)[1]
    erp.setup.allow_remote_diagnostics = True

    assert service.GetDiagnosticInformation() is None


@pytest.mark.parametrize(
    ("operation", "inner"),
    [
        ("GetCustomer", GIVEN + "<customerNo>0000042</customerNo><arDivisionNo>00</arDivisionNo>"),
        ("GetCustomer", GIVEN + "<arDivisionNo>00</arDivisionNo><customerNo>1</customerNo><since>x</since>"),
        ("GetCustomer", GIVEN.replace("<Password>secret</Password><Username>mcsync</Username>",
                                      "<Username>mcsync</Username><Password>secret</Password>")),
        ("GetCustomer", GIVEN + "<arDivisionNo><x/></arDivisionNo>"),
        ("UpdateCustomer", GIVEN + CUSTOMER.format("<AddressLine1>x</AddressLine1>")),
        ("UpdateCustomer", GIVEN + CUSTOMER.format("<CustomerNo>0000042</CustomerNo>")),
        ("UpdateCustomer", GIVEN + CUSTOMER.format("<SalespersonNo2>0100</SalespersonNo2>")),
        ("UpdateCustomer", GIVEN + CUSTOMER.format("<DateEstablished>2026-03-02</DateEstablished>")),
        ("UpdateCustomer", GIVEN + CUSTOMER.format("<OpenOrderAmt>1,5</OpenOrderAmt>")),
        ("UpdateCustomer", GIVEN + CUSTOMER.format("<OtherFields><UDF>x</UDF></OtherFields>")),
        ("UpdateCustomer", "&"),
    ],
)  # fmt: skip
def test_calls_that_do_not_fit_the_schema_are_not_read(erp, operation, inner):
    """Unknown elements, another order, and values of another type are faults before anything is looked at."""
    answer = post(erp, operation, inner)

    assert 500 == answer.status_code
    assert "a:DeserializationFailed" in answer.text


def test_calls_that_are_no_calls_of_the_service_are_refused(erp):
    """Action, body, content type and method must be those of SOAP 1.1; a document type is never read."""
    other = post(erp, "GetCustomer", GIVEN, SOAPAction="http://mas90.sage.com/ws/IMas/ListCustomers")
    mixed = post(erp, "GetCustomer", GIVEN, SOAPAction="http://mas90.sage.com/ws/IMas/GetNextCustomerNo")
    soap12 = post(erp, "GetCustomer", GIVEN, **{"Content-Type": "application/soap+xml"})
    named = {"Content-Type": "text/xml", "SOAPAction": "http://mas90.sage.com/ws/IMas/GetContractInformation"}
    doctype = httpx.post(erp.soap_url, content="<!DOCTYPE x><x/>", headers=named)
    empty = post(erp, "UpdateCustomer", GIVEN)

    assert (500, 500, 415) == (other.status_code, mixed.status_code, soap12.status_code)
    assert "a:ActionNotSupported" in other.text
    assert "a:DeserializationFailed" in mixed.text
    assert "a:DeserializationFailed" in doctype.text
    assert "An exception occurred." in empty.text
    assert 405 == httpx.put(erp.soap_url).status_code


def test_the_description_may_name_another_host(erp):
    """A server that knows itself by another name puts it into the imports and the address."""
    erp.setup.internal_host = "http://workstation.workgroup.local"
    text = httpx.get(erp.wsdl_url).text

    assert 3 == text.count("http://workstation.workgroup.local/eBusinessWebServices/MasBasicWsdl.svc")
    assert erp.url not in text
    assert 200 == httpx.get(f"{erp.soap_url}?xsd=xsd1").status_code
    assert [400, 200, 404] == [
        httpx.get(url).status_code
        for url in (f"{erp.soap_url}?xsd=xsd7", erp.soap_url, f"{erp.url}/eBusinessWebServices/Other.svc")
    ]


def test_what_breaks_inside_is_not_told(erp, service):
    """A malformed stamp, and faults a test asks for, come as the service's one text for everything unexpected."""
    erp.edit("AR_Customer", "00-0000042", DateUpdated="2026-03-02")
    broken = refusal(lambda: service.GetCustomer(LOGON, "ABC", "00", "0000042"))
    erp.soap_fault("Record is locked", "CI_Busy", detailed=True, times=1)
    asked = refusal(service.GetContractInformation)
    erp.html_error(times=1)
    page = post(erp, "GetContractInformation", "")

    assert ("Internal", "An exception occurred.") == broken
    assert ("CI_Busy", "Record is locked") == asked
    assert (503, True) == (page.status_code, "<h2>503" in page.text)


def test_control_characters_break_the_document(erp, service):
    """A control character in a text makes an answer that is no XML, as .NET makes it."""
    erp.edit("AR_Customer", "00-0000042", City="A\x0bB")

    with pytest.raises(zeep.exceptions.TransportError):
        service.GetCustomer(LOGON, "ABC", "00", "0000042")
