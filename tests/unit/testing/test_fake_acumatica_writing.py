"""Rights, writes and records of every kind on the fake Acumatica."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from decimal import Decimal

import httpx
import pytest

from mlconnector_sdk.testing.fakes._acumatica import FakeAcumatica
from tests.unit.testing._acumatica_site import LOGIN, Clock, ask, ids, put, token


@pytest.fixture
def clock():
    """A clock that stands still until moved."""
    return Clock()


@pytest.fixture
def erp(clock):
    """A fake with no records, on that clock."""
    with FakeAcumatica(clock=clock) as fake:
        yield fake


@pytest.fixture
def http(erp):
    """A client that has not signed in."""
    with httpx.Client(base_url=erp.base_url, verify=False) as client:
        yield client


@pytest.fixture
def signed_in(http):
    """A client with a cookie session."""
    assert 204 == http.post("/entity/auth/login", json=LOGIN).status_code
    return http


# -- rights and writes -----------------------------------------------------------------------------------


def test_a_missing_right_is_403_for_that_form_only(erp, signed_in):
    """A forbidden entity is a 403; others go on; the right can be given back."""
    erp.forbid("Customer")
    assert [403, 200] == [ask(signed_in, name).status_code for name in ("Customer", "Contact")]
    erp.forbid("Customer", allow=True)
    assert 200 == ask(signed_in, "Customer").status_code


def test_without_customer_management_there_are_no_contacts():
    """With the feature off `Contact` is a 403 while a customer's primary contact still shows."""
    with FakeAcumatica(crm=False) as fake, httpx.Client(base_url=fake.base_url) as client:
        fake.add_contact(account=fake.add_customer(), last="Ortiz", primary=True)
        client.post("/entity/auth/login", json=LOGIN)
        assert 403 == ask(client, "Contact").status_code
        shown = ask(client, "Customer", expand="PrimaryContact").json()[0]["PrimaryContact"]
    assert {"value": "Ortiz"} == shown["LastName"]


def test_an_opt_out_is_written_by_key_identity_or_filter(erp, clock, signed_in):
    """A `PUT` finds its record by key, by `id` or by `$filter`, saves, stamps and echoes."""
    number = erp.add_contact(first="Mary", email="mary@harbor.com")
    flags = itertools.cycle((True, False))
    finders = [({"ContactID": {"value": number}}, {}), ({"id": erp.contacts[number]["id"]}, {})]
    finders.append(({}, {"filter": "Email eq 'mary@harbor.com'"}))
    for (finder, query), flag in zip(finders, flags, strict=False):
        clock.forward(minutes=1)
        answer = put(signed_in, "Contact", {**finder, "NoMassMail": {"value": flag}}, **query)
        assert (200, {"value": flag}) == (answer.status_code, answer.json()["NoMassMail"])
        assert clock.now == erp.contacts[number]["LastModifiedDateTime"]
    assert 1 == len(erp.contacts)


def test_an_unchanged_write_keeps_the_stamp(erp, clock, signed_in):
    """Only values that differ are saved."""
    number = erp.add_contact(NoMassMail=True)
    before = erp.contacts[number]["LastModifiedDateTime"]
    clock.forward(minutes=1)
    put(signed_in, "Contact", {"ContactID": {"value": number}, "NoMassMail": {"value": True}})
    assert before == erp.contacts[number]["LastModifiedDateTime"]


def test_a_read_only_role_gets_200_and_the_old_values(erp, signed_in):
    """Without write access the answer is 200 with what was there before."""
    number = erp.add_contact(NoMassMail=False)
    erp.read_only_role = True
    answer = put(signed_in, "Contact", {"ContactID": {"value": number}, "NoMassMail": {"value": True}})
    assert (200, {"value": False}) == (answer.status_code, answer.json()["NoMassMail"])


def test_a_refused_value_is_named_where_it_stands(erp, signed_in):
    """A 422 shows the error beside the value, nested ones included, and saves nothing."""
    key = erp.add_customer(email="a@harbor.com")
    erp.rejects["Customer", "MainContact.Email"] = "Not an address."
    body = {"CustomerID": {"value": key}, "MainContact": {"Email": {"value": "x"}}}
    answer = put(signed_in, "Customer", body)
    assert 422 == answer.status_code
    assert {"value": "x", "error": "Not an address."} == answer.json()["MainContact"]["Email"]
    assert "a@harbor.com" == erp.customers[key]["MainContact"]["Email"]


def test_preconditions_say_insert_only_or_update_only(erp, signed_in):
    """`If-Match: *` on a missing record and `If-None-Match: *` on an existing one are 412."""
    key = erp.add_customer()
    there, absent = ({"CustomerID": {"value": name}, "CustomerName": {"value": "Quill"}} for name in (key, "C777777"))
    assert 412 == put(signed_in, "Customer", absent, {"If-Match": "*"}).status_code
    assert 412 == put(signed_in, "Customer", there, {"If-None-Match": "*"}).status_code
    assert 200 == put(signed_in, "Customer", absent, {"If-None-Match": "*"}).status_code
    assert "Quill" == erp.customers["C777777"]["CustomerName"]


@pytest.mark.parametrize(
    "body", [{"NoMassMail": True}, {"Nothing": {"value": 1}}, {"NoMassMail": {"value": "yes"}}, []]
)
def test_bodies_of_the_wrong_form_are_refused(signed_in, body):
    """Unwrapped values, unknown names and wrong kinds are a parsing error."""
    answer = put(signed_in, "Contact", body)
    assert (500, True) == (answer.status_code, "input parsing" in answer.json()["exceptionMessage"])


@pytest.mark.parametrize(
    ("body", "refused"),
    [
        ({"LastName": {"value": ""}}, "LastName"),
        ({"LastName": {"value": "Hara"}, "Status": {"value": "Gone"}}, "Status"),
        ({"LastName": {"value": "Hara"}, "BusinessAccount": {"value": "NOBODY"}}, "BusinessAccount"),
    ],
)
def test_the_forms_own_rules_refuse_a_new_contact(erp, signed_in, body, refused):
    """A person needs a last name, a known status and an account that exists."""
    answer = put(signed_in, "Contact", body)
    assert (422, True) == (answer.status_code, "error" in answer.json()[refused])
    assert not erp.contacts


def test_a_new_record_gets_the_next_key_and_all_its_values(erp, signed_in):
    """An insert without a key is numbered, and takes every kind of value, nested and custom ones too."""
    body = {
        "CustomerName": {"value": "Quill"},
        "CreditLimit": {"value": 12.5},
        "CreatedDateTime": {"value": "2024-05-01T00:00:00Z"},
        "MainContact": {"Address": {"City": {"value": "Kirkland"}}, "id": "x"},
        "custom": {"CurrentCustomer": {"UsrNoMail": {"type": "CustomBooleanField", "value": True}}},
    }
    key = put(signed_in, "Customer", body).json()["CustomerID"]["value"]
    row = erp.customers[key]
    assert ("C000001", Decimal("12.5")) == (key, row["CreditLimit"])
    assert datetime(2024, 5, 1, tzinfo=UTC) == row["CreatedDateTime"]
    assert ("Kirkland", True) == (row["MainContact"]["Address"]["City"], row["custom"]["CurrentCustomer"]["UsrNoMail"])
    assert {"CurrentCustomer.UsrNoMail": "B"} == erp.custom_fields["Customer"]


def test_a_read_only_role_inserts_nothing(erp, signed_in):
    """Without write access an insert echoes the body and stores nothing."""
    erp.read_only_role = True
    answer = put(signed_in, "Contact", {"LastName": {"value": "Hara"}})
    assert (200, True, 0) == (answer.status_code, erp.read_only_role, len(erp.contacts))


@pytest.mark.parametrize(
    "body",
    [
        {"custom": []},
        {"custom": {"Contact": {"UsrX": {"value": 1}}}},
        {"DateOfBirth": {"value": "yesterday"}},
    ],
)
def test_custom_values_and_dates_of_the_wrong_form_are_refused(signed_in, body):
    """Custom values need their type, and date-times their form."""
    assert "input parsing" in put(signed_in, "Contact", body).json()["exceptionMessage"]


def test_bodies_that_are_no_json_are_400(signed_in):
    """A body that is missing or no JSON is a 400, for writes and for log-in."""
    for send in (signed_in.put, signed_in.post):
        path = "/entity/Default/24.200.001/Contact" if send == signed_in.put else "/entity/auth/login"
        assert [400, 400] == [send(path, content=body).status_code for body in (b"", b"{")]
    assert 400 == signed_in.post("/entity/auth/login", json=[]).status_code


def test_other_verbs_are_405(signed_in):
    """Only GET and PUT are served on entities."""
    assert 405 == signed_in.delete("/entity/Default/24.200.001/Contact/1").status_code


def test_a_key_of_the_wrong_length_finds_nothing(signed_in):
    """An invoice by its number alone is not found."""
    assert "NoEntitySatisfies" in ask(signed_in, "SalesInvoice/AR1").json()["exceptionType"]


def test_addresses_outside_the_api_are_html_404(signed_in):
    """Paths the API does not have are pages."""
    assert (404, True) == ((answer := signed_in.get("/entity/auth")).status_code, "<html>" in answer.text)


def test_maintenance_is_a_page_until_it_is_over(erp, http):
    """The maintenance preset answers HTML until its rule is removed; as 302 it leads to the log-in form."""
    rule = erp.html_maintenance()
    assert (503, "text/html; charset=utf-8") == (
        http.get("/entity").status_code,
        http.get("/entity").headers["content-type"],
    )
    erp.faults.remove(rule)
    assert 200 == http.get("/entity").status_code
    erp.html_maintenance(302, times=1)
    assert "/Acme/Frames/Login.aspx" == http.get("/entity").headers["location"]


def test_a_locked_account_refuses_the_right_password(erp, http):
    """The lock dial works both ways."""
    erp.lock_account()
    assert "locked out" in http.post("/entity/auth/login", json=LOGIN).json()["exceptionMessage"]
    erp.lock_account(False)
    assert 204 == http.post("/entity/auth/login", json=LOGIN).status_code


def test_log_out_without_a_session_is_harmless(http):
    """Logging out twice, or never having logged in, is a 204."""
    assert 204 == http.post("/entity/auth/logout").status_code


@pytest.mark.parametrize(
    ("method", "path", "fields"),
    [
        ("GET", "/identity/connect/authorize", {"client_id": "x", "response_type": "code", "scope": "api"}),
        ("POST", "/identity/connect/revocation", {"token": "x"}),
    ],
)
def test_strangers_get_no_codes_and_revoke_nothing(http, method, path, fields):
    """An unknown application is refused at every OAuth address."""
    sent = {"params": fields} if method == "GET" else {"data": fields}
    assert 400 == http.request(method, path, **sent).status_code


def test_openid_brings_an_id_token(http):
    """The `openid` scope adds an id token."""
    assert "id_token" in token(http, scope="openid api").json()


def test_old_builds_list_their_endpoints_in_an_array():
    """The dial for older builds leaves the wrapper out."""
    with FakeAcumatica(bare_listing=True) as fake:
        assert isinstance(httpx.get(f"{fake.base_url}/entity").json(), list)


def test_wrong_dials_say_so(erp):
    """Unknown shapes, unknown entities and missing contacts are refused at once."""
    with pytest.raises(ValueError, match="seat_limit"):
        erp.seat_limit("xml")
    with pytest.raises(KeyError, match="keeps no Employee"):
        erp.put("Employee", {})
    with pytest.raises(KeyError, match="no PrimaryContact"):
        erp.edit("Customer", erp.add_customer(), **{"PrimaryContact.Email": "x"})


# -- records of other kinds ------------------------------------------------------------------------------


def test_customers_list_their_people_and_fall_back_to_the_main_contact(erp, signed_in):
    """`Contacts` are the persons of the account; billing and shipping contacts are the main one unless overridden."""
    key = erp.add_customer(email="office@harbor.com")
    other = erp.add_customer(ShippingContact={"Email": "dock@harbor.com"})
    erp.add_contact(first="Mary", last="Hara", account=key, DisplayName="Mary H.")
    erp.add_contact(last="Nobody's")
    rows = ask(signed_in, "Customer", expand="Contacts,Contacts/Contact,BillingContact,ShippingContact,files").json()
    people = [[entry["Contact"]["DisplayName"] for entry in row["Contacts"]] for row in rows]
    assert [[{"value": "Mary H."}], []] == people
    assert {"value": "office@harbor.com"} == rows[0]["BillingContact"]["Email"]
    assert (other, {"value": "dock@harbor.com"}) == (
        rows[1]["CustomerID"]["value"],
        rows[1]["ShippingContact"]["Email"],
    )
    assert [] == rows[0]["files"]


def test_vendors_orders_and_services_are_served(erp, signed_in):
    """Vendors, sales orders and non-stock items are read like the rest."""
    vendor = erp.add_vendor(email="v@quill.com")
    person = erp.add_contact(account=vendor, primary=True)
    erp.put("SalesOrder", {"OrderType": "SO", "OrderNbr": "000001", "CustomerID": "C1", "OrderTotal": 5})
    erp.put("NonStockItem", {"InventoryID": "INSTALL", "DefaultPrice": 80.5})
    row = ask(signed_in, "Vendor", expand="MainContact,PrimaryContact").json()[0]
    assert ({"value": "v@quill.com"}, {"value": person}) == (
        row["MainContact"]["Email"],
        row["PrimaryContact"]["ContactID"],
    )
    assert {"value": 5.0} == ask(signed_in, "SalesOrder/SO/000001").json()["OrderTotal"]
    assert {"value": 80.5} == ask(signed_in, "NonStockItem/INSTALL").json()["DefaultPrice"]
    assert (1, 1) == (len(erp.sales_orders), len(erp.non_stock_items))


def test_a_receivables_document_needs_no_sales_invoice(erp, signed_in):
    """A document put as `Invoice` shows there only; released ones are found by the screen's own flag."""
    erp.put("Invoice", {"Type": "Overdue Charge", "ReferenceNbr": "FC1", "Customer": "C1", "Amount": 3})
    test = "cf.Boolean(f='Document.Released') eq true"
    assert ["FC1"] == ids(ask(signed_in, "Invoice", filter=test), "ReferenceNbr")
    assert [] == ids(ask(signed_in, "SalesInvoice"), "ReferenceNbr")


def test_documents_are_edited_by_pair_or_by_path(erp, clock):
    """An invoice is found by its pair of keys or by both joined with a slash; numbers go on where they ended."""
    key = erp.add_invoice("C1")
    clock.forward(minutes=1)
    erp.edit("SalesInvoice", "/".join(key), Status="Closed", custom={"Document": {"UsrRoute": 4, "UsrDay": clock.now}})
    assert ("Closed", clock.now) == tuple(erp.sales_invoices[key][name] for name in ("Status", "LastModifiedDateTime"))
    assert {"Document.UsrRoute": "I", "Document.UsrDay": "T"} == erp.custom_fields["SalesInvoice"]
    assert ("Credit Memo", "AR000002") == erp.add_invoice("C1", type="Credit Memo")


def test_an_emptied_custom_field_keeps_its_kind(erp):
    """A site's own field is of the kind of its last value, not of its absence."""
    fields = {"UsrText": "x", "UsrRate": Decimal("1.5"), "UsrNone": None}
    key = erp.add_contact(custom={"Contact": fields})
    erp.edit("Contact", key, **{f"custom.Contact.{name}": None for name in fields})
    expected = {"Contact.UsrText": "S", "Contact.UsrRate": "D", "Contact.UsrNone": "S"}
    assert expected == erp.custom_fields["Contact"]


def test_numbering_skips_keys_that_are_taken(erp):
    """A key chosen by hand is not given again."""
    erp.add_customer("C000002")
    assert "C000003" == erp.add_customer()


def test_the_accounts_own_email_is_the_main_contacts(erp):
    """Editing `Customer.Email` edits the main contact, where it lives."""
    key = erp.add_customer(email="a@harbor.com")
    erp.edit("Customer", key, Email="b@harbor.com")
    assert "b@harbor.com" == erp.customers[key]["MainContact"]["Email"]


@pytest.mark.parametrize(
    "change",
    [
        lambda row: row.update(Status="Gone"),
        lambda row: row.__ior__({"Status": "Gone"}),
        lambda row: row.pop("Status"),
        lambda row: row.__delitem__("Status"),
        lambda row: row.clear(),
        lambda row: [row.popitem() for _ in range(len(row))],
    ],
)
def test_every_way_to_change_a_record_is_noticed(erp, signed_in, change):
    """Whatever method changes a record, the next filter sees it."""
    row = erp.customers[erp.add_customer(status="On Hold")]
    test = "Status eq 'On Hold'"
    assert 1 == len(ids(ask(signed_in, "Customer", filter=test, select="CustomerID")))
    change(row)
    assert [] == ids(ask(signed_in, "Customer", filter=test, select="CustomerID"))


@pytest.mark.parametrize("change", [lambda rows: rows.pop("C1"), lambda rows: rows.clear()])
def test_every_way_to_remove_a_record_is_noticed(erp, signed_in, change):
    """Whatever method removes a record, the next list is without it."""
    erp.add_customer("C1")
    assert ["C1"] == ids(ask(signed_in, "Customer"))
    change(erp.customers)
    assert [] == ids(ask(signed_in, "Customer"))


def test_many_different_questions_do_not_pile_up(erp, signed_in):
    """What is remembered per question is bounded."""
    erp.add_customer("C1", BAccountID=5)
    for number in range(300):
        query = {"filter": f"BAccountID eq {number}", "custom": f"BAccount.AcctCD{', ' * number}"}
        assert ([] if number != 5 else ["C1"]) == ids(ask(signed_in, "Customer", select="CustomerID", **query))
    assert len(erp._renderings) <= 257
