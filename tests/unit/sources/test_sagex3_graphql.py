"""Sage X3 through GraphQL: addresses, paging, rows by keys, long collections, refusals."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from mlconnector_sdk._http import HttpReply
from mlconnector_sdk.auth import BasicLogin, CloudPairing, OAuth2ClientCredentials
from mlconnector_sdk.cursors import Window
from mlconnector_sdk.errors import (
    AuthenticationError,
    ConfigurationError,
    ContractError,
    PermissionDeniedError,
    ServerFaultError,
    TransientError,
    UnavailableError,
)
from mlconnector_sdk.retry import RetryPolicy
from mlconnector_sdk.sources.sagex3 import SageX3, SageX3GraphQL
from mlconnector_sdk.sources.sagex3._api import Question
from mlconnector_sdk.sources.sagex3._graphql_answers import judge
from mlconnector_sdk.testing import FakeClock, FakeSageX3
from tests.unit.sources._sagex3_graphql import asked, documents, door, source_of

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LOGIN = BasicLogin(username="MAILCHIMP", password="secret")


@pytest.fixture(name="erp")
def _erp():
    """A site with a few records."""
    with FakeSageX3(customers=12, suppliers=3, clock=FakeClock(NOW)) as fake:
        yield fake


def read(source, stream, since=None):
    """The records by key."""
    return {one.key: one for page in source.read(stream, Window(lower=since)) for one in page}


def connected(url, **settings):
    """Address and headers of a door."""
    return SageX3GraphQL(url, **{"auth": LOGIN, **settings})._place()


# -- addresses --------------------------------------------------------------------------------------------------------


def test_on_premise_the_endpoint_is_a_header():
    """The address is used as it is, or completed by the service's usual path."""
    expected = ("https://x3.example.com:8124/xtrem/api", {"x-xtrem-endpoint": "SEED"})

    assert expected == connected("https://x3.example.com:8124/xtrem/api/", endpoint="SEED")
    assert expected == connected("https://x3.example.com:8124", endpoint="SEED")


def test_in_the_cloud_the_folder_is_part_of_the_address():
    """The gateway's root is completed by the folder; a whole address is used as it is."""
    expected = ("https://api.eu-prod-sagex3.com/v1/service/SEED/api", {})

    assert expected == connected("https://api.eu-prod-sagex3.com/v1", endpoint="SEED")
    assert expected == connected("https://api.eu-prod-sagex3.com/v1/service/SEED/api")


@pytest.mark.parametrize(
    ("url", "settings", "message"),
    [
        ("https://x3.example.com:8124/xtrem/api", {}, "endpoint must name"),
        ("x3.example.com", {"endpoint": "SEED"}, "must start with https"),
        ("https://x3.example.com", {"endpoint": "SEED", "properties": {"people": {}}}, "properties names people"),
        ("https://x3.example.com", {"endpoint": "SEED", "properties": {"persons": {"A": "b-c"}}}, "no property for A"),
        ("https://x3.example.com", {"endpoint": "SEED", "nodes": {"people": "a.b"}}, "nodes names people"),
        ("https://x3.example.com", {"endpoint": "SEED", "nodes": {"persons": "b"}}, "must be package.node"),
        (
            "https://x3.example.com/xtrem/api",
            {"endpoint": "SEED", "auth": CloudPairing(client_id="a", client_secret="b", redirect_uri="https://c.example")},
            "token_url must say",
        ),
        (
            "https://x3.example.com/xtrem/api",
            {"endpoint": "SEED", "auth": OAuth2ClientCredentials(client_id="a", client_secret="b")},
            "token_url",
        ),
    ],
)  # fmt: skip
def test_a_wrong_setting_is_refused_before_anything_is_sent(url, settings, message):
    """The message names the setting."""
    with pytest.raises(ConfigurationError, match=message):
        SageX3(api=SageX3GraphQL(url, **{"auth": LOGIN, **settings}))


# -- pages ------------------------------------------------------------------------------------------------------------


def test_a_list_is_read_by_cursors_with_one_filter_and_one_order(erp):
    """Every page asks the same but for the cursor; the order ends with the key, which makes it total."""
    with source_of(erp, api={"page_size": 5}) as source:
        found = read(source, "customers", NOW - timedelta(days=3650))

    pages = asked(erp, "customer")[:3]
    assert len(found) >= 10
    assert [None, True, True] == [page.get("after") and True for page in pages]
    assert len({(page["filter"], page["orderBy"], page["first"]) for page in pages}) == 1
    assert {"_id": 1} == json.loads(pages[0]["orderBy"])
    assert {"_updateStamp": {"_gte": "2016-03-03T11:58:00Z"}} == json.loads(
        asked_since(erp, datetime(2016, 3, 3, 11, 58, tzinfo=UTC))
    )


def asked_since(erp, since):
    """The filter of a window."""
    erp.log.clear()
    with source_of(erp) as source:
        read(source, "customers", since)
    return asked(erp, "customer")[0]["filter"]


@pytest.mark.parametrize("fault", [{"status": 504}, {"status": None, "delay": 1.5}], ids=["gateway", "silence"])
def test_a_page_that_takes_too_long_is_asked_for_with_half_the_rows(erp, fault):
    """The same cursor, fewer rows, and nothing is lost."""
    with source_of(erp, api={"page_size": 40, "timeout": 0.7}, retry=RetryPolicy.immediate(1)) as source:
        read(source, "suppliers")
        erp.log.clear()
        erp.fail_next(path="/xtrem/api", times=2, **fault)
        found = read(source, "customers")

    assert set(found) == set(erp.customers)
    assert [10, 10] == [page["first"] for page in asked(erp, "customer")][-2:]


def test_a_service_that_is_always_too_slow_is_given_up(erp):
    """Pages do not get smaller without end."""
    with source_of(erp, api={"page_size": 10}, retry=RetryPolicy.immediate(1)) as source:
        read(source, "suppliers")
        erp.fail(status=504, path="/xtrem/api")
        with pytest.raises(TransientError):
            read(source, "customers")


def test_a_service_that_refuses_large_pages_gets_smaller_ones(erp):
    """A limit that nobody documents is found."""
    rules = erp.graphql.setup.rules
    rules.cap, rules.refuses_more = 12, True
    invoices = {erp.add_invoice("000001", [("BIK001", "City bike", 1, "620.25")] * 14) for _ in range(13)}
    with source_of(erp, api={"page_size": 100}) as source:
        assert set(read(source, "customers")) == set(erp.customers)
        assert invoices == {key for key, one in read(source, "orders").items() if len(one.lines) == 14}


def test_a_change_stamp_that_is_neither_filtered_nor_sorted_by_is_no_obstacle(erp):
    """Then everything is read, and what is older is left out."""
    limits = erp.graphql.setup.limits
    limits.stamp_filter = limits.stamp_order = False
    erp.site.clock.advance(hours=1)
    erp.edit("BPCUSTOMER", "000003", BCGCOD="NEW")
    with source_of(erp) as source:
        found = read(source, "customers", NOW + timedelta(minutes=1))

    # Rows without any stamp may have changed as well.
    assert {"000003"} <= set(found) < set(erp.customers)


@pytest.mark.parametrize(
    ("table", "change"),
    [
        (("BPARTNER", "000004"), {"LAN": "GER"}),
        (("BPADDRESS", (1, "000004", "A01")), {"WEB": "new@example.com"}),
        (("BPCUSTOMER", "000004"), {"BCGCOD": "NEW"}),
    ],
)
@pytest.mark.parametrize("release", ["current", "2021"])
def test_what_changes_beside_a_customer_is_a_change_of_the_customer(erp, release, table, change):
    """The header of the partner and the address have stamps of their own."""
    erp.graphql.setup.release = release
    erp.site.clock.advance(hours=1)
    erp.edit(*table, **change)
    with source_of(erp) as source:
        assert "000004" in read(source, "customers", NOW + timedelta(minutes=1))


@pytest.mark.parametrize("release", ["current", "2021"])
def test_a_person_changes_the_customers_and_contacts_they_belong_to(erp, release):
    """A new address of a person is a change of their contact, and of the customer whose default contact they are."""
    erp.graphql.setup.release = release
    customer = erp.add_customer(name="Quay", first="Ann", last="Low", person_email="ann@quay.example")
    person = erp.customers[customer]["CNTNAM"]
    erp.site.clock.advance(hours=1)
    erp.edit("CONTACTCRM", person, CNTWEB="ann.low@quay.example")
    since = NOW + timedelta(minutes=30)
    with source_of(erp) as source:
        assert "ann.low@quay.example" == read(source, "customers", since)[customer].email
        assert "ann.low@quay.example" == read(source, "contacts", since)[f"{customer}~{person}"].email


# -- rows -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("orders", ["invoices", "sales_orders"])
def test_a_long_document_is_read_to_its_last_line(erp, orders):
    """Lines are a collection with pages of its own."""
    lines = [("BIK001", f"Line {number}", 1, "2.50") for number in range(1, 231)]
    add = erp.add_invoice if orders == "invoices" else erp.add_order
    short, long = add("000001", lines[:3]), add("000001", lines)
    with source_of(erp, orders=orders, api={"page_size": 60}) as source:
        found = read(source, "orders")

    assert [3, 230] == [len(found[key].lines) for key in (short, long)]
    assert [line[1] for line in lines] == [line.title for line in found[long].lines]
    assert "$more" not in found[long].raw
    assert [{"lineNumber": 1, "_id": 1}] * 4 == [
        json.loads(body["variables"]["orderBy"]) for body in documents(erp) if "query Rest" in body["query"]
    ]


def test_slots_beyond_the_first_page_are_read_too(erp):
    """Collections behind a reference have pages of their own as well."""
    slots = [f"{number}@quay.example" for number in range(1, 6)]
    customer = erp.add_customer(name="Quay", email=slots, last=None)
    erp.graphql.setup.rules.cap = 2
    with source_of(erp) as source:
        assert slots == read(source, "customers")[customer].raw["BPADDRESS.WEB"]


def test_a_document_that_vanishes_before_its_lines_were_read_is_absent(erp):
    """What is gone is no record, and no error."""
    lines = [("BIK001", f"Line {number}", 1, "2.50") for number in range(1, 121)]
    long = erp.add_invoice("000001", lines)
    kept = erp.add_invoice("000001", lines[:1])
    with source_of(erp) as source:
        connection, entity = source._connection, source._entities["orders"]
        pages = list(connection.pages(entity))
        erp.delete("SINVOICEV", long)

        assert [kept] == [row["NUM"] for rows in pages for row in connection.completed(entity, rows)]


def test_a_credit_note_is_one_by_its_kind(erp):
    """Category and sign say so; amounts are exact."""
    credit = erp.add_credit_note("000001", [("BIK001", "City bike", 1, "620.25")], tax="124.05")
    with source_of(erp) as source:
        found = read(source, "orders")[credit]

    assert ("credit", "744.30") == (found.kind, f"{found.total:.2f}")


def test_a_closed_order_of_which_nothing_was_delivered_is_cancelled(erp):
    """GraphQL names the values of the menus of status."""
    order = erp.add_order("000001", [("BIK001", "City bike", 1, "620.25")], ORDSTA=2)
    other = erp.add_order("000001", [("BIK001", "City bike", 1, "620.25")], ORDSTA=2, DLVSTA=3)
    with source_of(erp, orders="sales_orders") as source:
        found = read(source, "orders")

    assert ["cancelled", ""] == [found[key].payment for key in (order, other)]


def test_prohibited_mailing_is_an_opt_out_in_both_schemas(erp):
    """The flag of the partner and that of the person, also where no reference leads to the partner."""
    flagged = erp.add_customer(name="Quay", email="a@quay.example", mailing_prohibited=True)
    contact = erp.add_contact(flagged, last="Low", email="b@quay.example", mailing_prohibited=True)
    for release in ("current", "2021"):
        erp.graphql.setup.release = release
        with source_of(erp) as source:
            assert read(source, "customers")[flagged].opted_out, release
            assert read(source, "contacts")[f"{flagged}~{contact}"].opted_out, release


def test_a_malformed_row_is_set_aside_and_stops_no_other(erp):
    """The page goes on without it."""
    erp.spoil("BPCUSTOMER", "000002", BCGCOD="OLD", UPDDATTIM="yesterday")
    with source_of(erp) as source:
        pages = list(source.read("customers"))

    assert ["000002"] == [row.key for page in pages for row in page.unreadable]
    assert len(erp.customers) - 1 == sum(len(page.records) for page in pages)


# -- keys -------------------------------------------------------------------------------------------------------------


def test_many_keys_are_one_question(erp):
    """Keys are listed in the filter, never in the document."""
    keys = sorted(erp.customers)
    with source_of(erp) as source:
        found = {one.key for page in source.fetch("customers", [*keys, "no such key"]) for one in page}

    assert set(keys) == found
    assert [{"code": {"code": {"_in": [*keys, "no such key"]}}}] == [
        json.loads(page["filter"]) for page in asked(erp, "customer")
    ]


def test_a_service_without_lists_of_keys_is_asked_for_each(erp):
    """What it refuses is not asked again; equality is known everywhere."""
    keys = sorted(erp.customers)[:4]
    refusal = {"errors": [{"message": "Customer.code: invalid operator _in"}]}
    with source_of(erp) as source:
        list(source.fetch("customers", keys[:1]))
        erp.log.clear()
        erp.fail_next(status=400, body=refusal, path="/xtrem/api", times=2)
        found = [{one.key for page in source.fetch("customers", keys) for one in page} for _ in range(2)]

    assert [set(keys)] * 2 == found
    filters = [json.loads(page["filter"]) for page in asked(erp, "customer")]
    assert ["_or"] == [name for one in filters for name in one if name == "_or"]
    assert 8 == sum("_eq" in str(one) and "_or" not in one for one in filters)


def test_keys_of_contacts_have_two_parts(erp):
    """Partner and person, joined by a tilde, in the same question."""
    with source_of(erp) as source:
        keys = sorted(read(source, "contacts"))[:3]
        erp.log.clear()
        found = {one.key for page in source.fetch("contacts", keys) for one in page}

    assert set(keys) == found
    assert 3 == len(json.loads(asked(erp, "contact")[0]["filter"])["_or"])


def test_a_key_with_quotes_stays_a_value(erp):
    """Nothing that a key holds gets into the document or out of the filter's text."""
    with source_of(erp) as source:
        assert [] == list(source.fetch("customers", ['x"}}) { evil', "\\", "{}"]))


def test_what_the_schema_does_not_have_is_not_asked_for(erp):
    """A stamp or a key without a property is refused before anything is sent."""
    with source_of(erp, stamps=()) as source:
        connection = source._connection
        read(source, "suppliers")
        sent = connection.request_count
        with pytest.raises(ContractError, match=r"x3MasterData\.customer has no UPDDATTIM"):
            next(connection.pages(source._entities["customers"], Question(way="latest", stamp="UPDDATTIM")))
        with pytest.raises(ContractError, match="no property for YCODE"):
            next(connection.matching(source._entities["customers"], [{"YCODE": "1"}]))

    assert sent == connection.request_count


def test_warnings_that_come_with_an_answer_are_counted_in_the_log(erp, caplog):
    """Their texts may name records, and stay out of it."""
    body = {"data": {"__typename": "Query"}, "extensions": {"diagnoses": [{"severity": 2, "message": "Ann Low"}]}}
    caplog.set_level("INFO")
    with source_of(erp) as source:
        erp.fail_next(status=200, body=body, path="/xtrem/api")
        source._connection._session.ask("query Now { __typename }", {}, "sign in")

    assert "1 diagnoses" in caplog.text
    assert "Ann" not in caplog.text


# -- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("right", "node"),
    [("customer.read", "Customer"), ("country.read", "Country"), ("customerContact.read", "CustomerContact")],
)
def test_a_missing_right_names_the_node(erp, right, node):
    """Data that came with it is not used: a list with errors is a failed page."""
    erp.graphql.deny(right)
    with source_of(erp) as source, pytest.raises(PermissionDeniedError, match=f"no right to read {node}:") as failure:
        read(source, "customers")

    assert "query x3MasterData.customer" == failure.value.operation


def test_a_missing_right_to_lines_is_no_document_without_lines(erp):
    """Partial data never passes for the whole."""
    erp.add_invoice("000001", [("BIK001", "City bike", 1, "620.25")])
    erp.graphql.deny("salesInvoiceLine.read")
    with source_of(erp) as source, pytest.raises(PermissionDeniedError, match="SalesInvoiceLine"):
        read(source, "orders")


def test_what_nobody_may_read_can_be_left_out(erp):
    """A field without a name is not asked for, nor is the node behind it."""
    erp.graphql.deny("customerCategory.read")
    with source_of(erp, api={"properties": {"customers": {"BCGCOD": ""}}}) as source:
        assert {""} == {one.group for one in read(source, "customers").values()}


ANSWERS = [
    ({"status": 400, "body": "<!DOCTYPE html><html>SyntaxError</html>"}, ContractError, "does not say why"),
    ({"status": 200, "body": "<!DOCTYPE html><html>Sign in</html>"}, ConfigurationError, "web page"),
    ({"status": 302, "headers": {"Location": "https://evil.example"}}, ConfigurationError, "redirects"),
    ({"status": 404}, ConfigurationError, "no GraphQL service"),
    ({"status": 401, "body": {"errors": [{"message": "jwt expired"}]}}, AuthenticationError, "the signed token"),
    ({"status": 200, "body": {"errors": "broken"}}, ContractError, "refuses x3MasterData.customer"),
    ({"status": 200, "body": {"errors": [{"extensions": {"diagnoses": ["y"]}}]}}, ContractError, "refuses"),
    ({"status": 403, "body": {"message": "Forbidden"}}, PermissionDeniedError, "this folder"),
    ({"status": 500}, ServerFaultError, "does not say why"),
    ({"status": 503}, UnavailableError, "not available"),
    ({"status": 429}, TransientError, "too many"),
    ({"status": 200, "body": {"errors": [{"message": "Request timed out"}]}}, ServerFaultError, "at the moment"),
    ({"status": 200, "body": {"errors": [{"message": "Query lookup is not activated: Customer.read"}]}},
     PermissionDeniedError, "no right to read Customer"),
    ({"status": 200, "body": {"errors": [{"message": 'Cannot query field "updatedDate" on type "Customer".'}]}},
     ContractError, "because of Customer.updatedDate"),
    ({"status": 200, "body": {"errors": [{"message": "broken", "extensions": {"diagnoses": [
        {"severity": 3, "message": "Customer.read is not authorized"}]}}]}}, PermissionDeniedError, "Customer"),
    ({"status": 200, "body": {"data": {"x3MasterData": {"customer": None}}}}, ContractError, "list of records"),
    ({"status": 200, "body": {"data": {"x3MasterData": {"customer": {"query": {
        "edges": [], "pageInfo": {"hasNextPage": True, "endCursor": None}}}}}}}, ContractError, "no cursor"),
]  # fmt: skip


@pytest.mark.parametrize(("fault", "kind", "message"), ANSWERS)
def test_an_answer_that_is_none_is_told_as_what_it_is(erp, fault, kind, message):
    """Whatever comes in the place of rows has its error, with the cure where there is one."""
    with source_of(erp) as source:
        read(source, "suppliers")
        list(source.fetch("customers", ["none"]))
        erp.fail(path="/xtrem/api", **fault)
        with pytest.raises(kind, match=message):
            read(source, "customers")


@pytest.mark.parametrize("body", [b'{"errors": [{"message": "expired"}]}', b"Unauthorized", b""])
def test_a_refused_sign_in_is_one_whatever_its_body(body):
    """Should no flow of tokens have told it already."""
    assert isinstance(judge(HttpReply(status=401, headers={}, body=body), "query"), AuthenticationError)


def test_messages_never_repeat_what_a_record_holds(erp):
    """The server's own text may hold values; only names of its schema are taken over."""
    body = {"errors": [{"message": "Customer.code: no match for ann@quay.example"}]}
    with source_of(erp) as source:
        read(source, "customers")
        erp.fail(status=200, body=body, path="/xtrem/api")
        with pytest.raises(ContractError) as failure:
            read(source, "customers")

    assert "ann" not in str(failure.value)
    assert "Customer.code" in str(failure.value)


def test_a_cut_off_answer_is_asked_for_again(erp):
    """A body that breaks off is no end of the list."""
    with source_of(erp) as source:
        read(source, "suppliers")
        erp.fail_next(truncate=200, path="/xtrem/api")
        erp.fail_next(status=200, body=b'{"data": {', headers={"Content-Type": "application/json"}, path="/xtrem/api")

        assert set(read(source, "customers")) == set(erp.customers)


def test_a_wrong_endpoint_shows_in_the_check(erp):
    """The name of the endpoint is what to look at."""
    with source_of(erp, api={"endpoint": "PROD"}) as source:
        rows = list(source.check())

    assert [(False, True)] == [(row.ok, "check endpoint=" in row.cure) for row in rows]


def test_an_hidden_schema_shows_in_the_check(erp):
    """Without introspection nothing is known of the names."""
    erp.graphql.setup.introspection = False
    with source_of(erp) as source:
        rows = list(source.check())

    assert [True, False] == [row.ok for row in rows]


def test_a_healthy_site_passes_the_check_and_says_how_changes_are_found(erp):
    """Each line is good; streams name their node and the way."""
    with source_of(erp) as source:
        rows = list(source.check())

    assert all(row.ok for row in rows), [str(row) for row in rows if not row.ok]
    assert "x3MasterData.customer, changes by UPDDATTIM" in {row.detail for row in rows}


def test_an_answer_without_a_clock_cannot_be_used(erp):
    """Marks follow the server's clock, and nobody else's."""
    erp.fail(status=200, body={"data": {"__typename": "Query"}}, headers={"Date": ""}, path="/xtrem/api")
    with source_of(erp) as source, pytest.raises(ContractError, match="no Date header"):
        source.present("customers")


def test_basic_credentials_are_tried_once(erp):
    """A refused password is sent once and never again."""
    wrong = BasicLogin(username=erp.username, password="wrong")
    with source_of(erp, api={"auth": wrong}) as source:
        for _ in range(2):
            with pytest.raises(AuthenticationError):
                read(source, "customers")

    assert 1 == len(erp.log)
    assert repr(door(erp, auth=wrong)).count("wrong") == 0
