"""The GraphQL service of the fake Sage X3: documents, filters, orders, pages, rights and releases."""

from __future__ import annotations

import json
import sys
from datetime import UTC, date, datetime
from decimal import Decimal
from zlib import crc32

import httpx
import pytest
from graphql import get_introspection_query

from mlconnector_sdk.testing import FakeClock, FakeSageX3

HTTP = httpx.Client(trust_env=False)
CODES = """
query($first: Int, $after: String, $filter: String, $orderBy: String) {
  x3MasterData { customer { query(first: $first, after: $after, filter: $filter, orderBy: $orderBy) {
    totalCount edges { cursor node { _id } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
  } } }
}
"""
LINES = """
query($filter: String, $orderBy: String, $after: String) {
  x3Sales { salesOrder { query { edges { node { lines {
    query(first: 2, filter: $filter, orderBy: $orderBy, after: $after) {
      totalCount edges { cursor node { lineNumber } } pageInfo { hasNextPage endCursor }
    }
  } } } } } }
}
"""


@pytest.fixture(autouse=True, scope="module")
def _closing():
    """One client for all tests, as making one takes longer than most of them."""
    with HTTP:
        yield


@pytest.fixture(name="clock")
def _clock():
    return FakeClock(datetime(2026, 1, 18, 8, 0, tzinfo=UTC))


@pytest.fixture(name="erp")
def _erp(clock):
    """Five customers, each saved a minute after the one before."""
    with FakeSageX3(clock=clock) as fake:
        for number, name in enumerate(("Alpine", "Birch", "Cedar", "Delta", "Elm"), 1):
            fake.add_customer(f"000{number}", name=name, email=f"{name.lower()}@x3.example", CRY="FR")
            clock.advance(minutes=1)
        yield fake


def post(erp, document, **variables):
    """The service's answer on premise."""
    headers = {"Authorization": f"Bearer {erp.graphql.token()}", "x-xtrem-endpoint": erp.endpoint}
    return HTTP.post(erp.graphql_url, json={"query": document, "variables": variables}, headers=headers)


def ask(erp, document, **variables):
    """The data of an answer without errors."""
    answer = post(erp, document, **variables).json()
    assert "errors" not in answer, answer["errors"]
    assert {"diagnoses": []} == answer["extensions"]
    return answer["data"]


def page(erp, **variables):
    """A page of customers."""
    return ask(erp, CODES, **variables)["x3MasterData"]["customer"]["query"]


def codes(found):
    """Identifiers of a page's rows."""
    return [edge["node"]["_id"] for edge in found["edges"]]


def problem(erp, document, **variables):
    """The message of an answer that has no data."""
    answer = post(erp, document, **variables).json()
    assert "data" not in answer
    return answer["errors"][0]["message"]


# -- documents --------------------------------------------------------------------------------------------------------


def test_aliases_fragments_and_directives_are_followed(erp):
    """A document means what GraphQL says it means, at every depth."""
    document = """
    query($deep: Boolean!) {
      one: x3MasterData { customer { read(_id: "0001") { ...Names kind: __typename
        addresses @include(if: $deep) { query { edges { node { code ... on CustomerAddress { city } } } } } } } }
      x3MasterData { customer { read(_id: "0002") { isActive @skip(if: $deep) } } }
      x3MasterData { customer { read(_id: "0002") { companyName1 } } }
    }
    fragment Names on Customer { name: companyName1 code { code } }
    """

    data = ask(erp, document, deep=True)

    places = {"query": {"edges": [{"node": {"code": "A01", "city": ""}}]}}
    expected = {"name": "Alpine", "code": {"code": "0001"}, "kind": "Customer", "addresses": places}
    assert expected == data["one"]["customer"]["read"]
    assert {"companyName1": "Birch"} == data["x3MasterData"]["customer"]["read"]


def test_every_level_knows_its_type(erp):
    """`__typename` is answered for nodes, edges, pages, collections and texts."""
    document = """{ __typename x3MasterData { customer { query(first: 1) { __typename pageInfo { __typename }
      edges { __typename node { _access { name } notes { __typename value } addresses { __typename } } } } } } }"""

    found = ask(erp, document)["x3MasterData"]["customer"]["query"]

    assert "Customer_Connection" == found["__typename"]
    assert {"__typename": "PageInfo"} == found["pageInfo"]
    notes = {"__typename": "_OutputTextStream", "value": ""}
    node = {"_access": [], "notes": notes, "addresses": {"__typename": "CustomerAddress_Collection"}}
    assert [{"__typename": "Customer_Edge", "node": node}] == found["edges"]


def test_one_record_is_read_by_its_identifier(erp):
    """`read` finds a record by `_id`, composite ones included, and answers null for a record that is not there."""
    listed = ask(erp, "{x3MasterData{address{query(first:1){edges{node{_id entityNumber}}}}}}")
    address = listed["x3MasterData"]["address"]["query"]["edges"][0]["node"]
    document = "query($id: Id!){x3MasterData{address{read(_id:$id){_id entityNumber}}}}"

    assert "|" in address["_id"]
    assert address == ask(erp, document, id=address["_id"])["x3MasterData"]["address"]["read"]
    assert ask(erp, document, id="1|9999|A01")["x3MasterData"]["address"]["read"] is None


def test_values_are_written_as_the_vendor_writes_them(erp):
    """Amounts are texts, flags booleans, menus words, moments UTC, and what was never filled in is blank or null."""
    erp.add_invoice("0001", [("BIK001", "City bike", 2, "620.50")], key="INV1", tax="248.20")
    erp.add_credit_note("0001", [("BIK001", "City bike", 1, "620.00")], key="CRN1", posted=False)
    document = """query($id: Id!) { x3Sales { salesInvoice { read(_id: $id) {
      id status category sign invoiceDate totalAmountExcludingTax totalAmountIncludingTax _updateStamp internalReference
      billToCustomer { isActive } lines { query { edges { node { netPrice quantityInSalesUnit } } } } } } } }"""

    invoice, credit = (ask(erp, document, id=number)["x3Sales"]["salesInvoice"]["read"] for number in ("INV1", "CRN1"))

    expected = {
        "id": "INV1",
        "status": "posted",
        "category": "invoice",
        "sign": 1,
        "invoiceDate": "2026-01-18",
        "totalAmountExcludingTax": "1241",
        "totalAmountIncludingTax": "1489.2",
        "_updateStamp": "2026-01-18T08:05:00.000Z",
        "internalReference": "",
        "billToCustomer": {"isActive": True},
        "lines": {"query": {"edges": [{"node": {"netPrice": "620.5", "quantityInSalesUnit": "2"}}]}},
    }
    assert expected == invoice
    assert ("notPosted", "creditMemo", -1) == (credit["status"], credit["category"], credit["sign"])


def test_a_site_may_write_moments_and_menus_otherwise(erp):
    """Parts of a second, empty e-mail slots and names of menus are settings."""
    forms = erp.graphql.setup.forms
    forms.milliseconds, forms.empty_slots = False, False
    forms.menus["EmailAddressType"] = {1: "contact5"}
    document = """{x3MasterData{customer{read(_id:"0001"){_updateStamp
      defaultAddress{addressEmails{query{edges{node{addressEmail emailType}}}}}}}}}"""

    found = ask(erp, document)["x3MasterData"]["customer"]["read"]

    assert "2026-01-18T08:00:00Z" == found["_updateStamp"]
    slots = [{"node": {"addressEmail": "alpine@x3.example", "emailType": "contact5"}}]
    assert slots == found["defaultAddress"]["addressEmails"]["query"]["edges"]


def test_malformed_rows_are_shown_as_they_are(erp):
    """A value that does not fit its field comes as it stands, and stands in no filter's or order's way."""
    erp.spoil("BPCUSTOMER", "0002", OSTAUZ="abc", UPDDATTIM="never", CHGTYP=99)
    document = """{x3MasterData{customer{read(_id:"0002"){authorizedCreditAmount _updateStamp rateType _etag}}}}"""

    found = ask(erp, document)["x3MasterData"]["customer"]["read"]

    assert {"authorizedCreditAmount": "abc", "_updateStamp": "never", "rateType": None, "_etag": "1"} == found
    assert "0002" == codes(page(erp, orderBy='{"_updateStamp":1}'))[0]
    assert "0002" not in codes(page(erp, filter='{"_updateStamp":{"_gte":"2026-01-01T00:00:00Z"}}'))


def test_what_another_row_holds_is_read_through_references(erp):
    """A contact shows the person's data and references, and nothing where the person is gone."""
    contact = erp.add_contact("0001", first="Léa", last="Martin", email="lea@x3.example", CNTCRY="FR")
    document = """query($id: Id!){x3MasterData{contact{read(_id:$id){
      relationshipFirstName relationshipEmail relationshipCountry{iso31661Alpha2} code{lastName}}}}}"""

    before = ask(erp, document, id=f"1|0001|{contact}")["x3MasterData"]["contact"]["read"]
    erp.delete("CONTACTCRM", contact)
    after = ask(erp, document, id=f"1|0001|{contact}")["x3MasterData"]["contact"]["read"]

    person = {"relationshipFirstName": "Léa", "relationshipEmail": "lea@x3.example", "code": {"lastName": "Martin"}}
    assert {**person, "relationshipCountry": {"iso31661Alpha2": "FR"}} == before
    assert {None} == set(after.values())


def test_an_order_line_has_prices_and_quantities(erp):
    """A line joins its price row and its quantity row, and is blank where one of them is missing."""
    order = erp.add_order("0001", [("BIK001", "City bike", 2, "620.25")])
    document = """{x3Sales{salesOrderLine{query{edges{node{
      salesOrder{_id} lineNumber grossPrice quantityInSalesUnitOrdered salesUnit{code}}}}}}}"""

    whole = ask(erp, document)["x3Sales"]["salesOrderLine"]["query"]["edges"][0]["node"]
    erp.delete("SORDERQ", (order, 1000, 1))
    half = ask(erp, document)["x3Sales"]["salesOrderLine"]["query"]["edges"][0]["node"]

    priced = {"salesOrder": {"_id": order}, "lineNumber": 1000, "grossPrice": "620.25"}
    assert {**priced, "quantityInSalesUnitOrdered": "2", "salesUnit": {"code": "UN"}} == whole
    assert {**priced, "quantityInSalesUnitOrdered": "0", "salesUnit": None} == half


def test_a_reference_to_nothing_is_null(erp):
    """A blank key, or one that no row has, is a null reference, and what is read through it is null."""
    erp.edit("BPCUSTOMER", "0001", BPAADD="", CNTNAM="C999999", BPCGRU="")
    document = """{x3MasterData{customer{read(_id:"0001"){
      defaultAddress{_id} defaultContact{_id} groupCustomer{_id} currency{_id code}}}}}"""

    found = ask(erp, document)["x3MasterData"]["customer"]["read"]

    currency = {"_id": "EUR", "code": "EUR"}
    expected = {"defaultAddress": None, "defaultContact": None, "groupCustomer": None, "currency": currency}
    assert expected == found


@pytest.mark.parametrize(
    ("document", "variables", "message"),
    [
        ("{x3MasterData{customer{query{edges{node{nope}}}}}}", {}, 'Cannot query field "nope" on type "Customer".'),
        ("{x3MasterData{", {}, "Syntax Error"),
        (CODES, {"first": "many"}, "$first"),
        ("mutation{x3MasterData{customer{delete}}}", {}, "mutation"),
    ],
)
def test_documents_that_do_not_fit_the_schema_are_refused(erp, document, variables, message):
    """A document is checked before anything is read; the status is the site's."""
    statuses = []
    for status in (400, 200):
        erp.graphql.setup.validation_status = status
        statuses.append(post(erp, document, **variables).status_code)

    assert [400, 200] == statuses
    assert message in problem(erp, document, **variables)


# -- filters ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"_id":"0002"}', "2"),
        ("{_id:'0002'}", "2"),
        ("{code:'0003'}", "3"),
        ("{code:{_in:['0003','0004']}}", "34"),
        ("{code:{_nin:['0003','0004']}}", "125"),
        ("{code:{code:'0004'}}", "4"),
        ("{code:{companyName1:{_regex:'^[AB]'}}}", "12"),
        ("{companyName1:'Elm'}", "5"),
        ("[{companyName1:{_gte:'Birch'}},{companyName1:{_lt:'Delta'}}]", "23"),
        ("{_and:[{companyName1:{_gt:'Birch'}},{companyName1:{_lte:'Delta'}}]}", "34"),
        ("{_or:[{_id:'0001'},{_id:{_eq:'0005'}}]}", "15"),
        ("{companyName1:{_or:[{_eq:'Elm'},{_eq:'Cedar'}]}}", "35"),
        ("{_id:{_ne:'0001'},companyName1:{_ne:'Elm'}}", "234"),
        ('{"_updateStamp":{"_gte":"2026-01-18T08:03:00Z"}}', "45"),
        ('{"_updateStamp":{"_gt":"2026-01-18T09:03:00.000+01:00"}}', "5"),
        ('{"authorizedCreditAmount":{"_gte":"100.5"}}', "2"),
        ('{"authorizedCreditAmount":{"_lt":100.5}}', "1345"),
        ("{isActive:false}", "4"),
        ("{insuranceless:null}", "unknown property insuranceless"),
        ("{rateType:'dailyRate'}", "1"),
        ("{rateType:null}", "2345"),
        ("{defaultAddress:{country:{iso31661Alpha2:'FR'},city:'LYON'}}", "3"),
        ("{defaultAddress:{addressEmails:{_atLeast:1,addressEmail:{_regex:'^cedar'}}}}", "3"),
        ("{addresses:{_none:{city:'LYON'}}}", "1245"),
        ("{addresses:{_every:true,city:'LYON'}}", "3"),
        ("{addresses:{_atMost:0,city:''}}", "3"),
        ("{}", "12345"),
        ("{_updateStamp:{$gt:'2020-01-01'}}", "invalid operator $gt"),
        ("{_updateStamp:{_gte:'2026-01-18'}}", "a value of type Datetime is expected"),
        ("{authorizedCreditAmount:{_gte:'many'}}", "a value of type Decimal is expected"),
        ("{isActive:'yes'}", "a value of type Boolean is expected"),
        ("{isActive:{_gt:true}}", "invalid operator _gt"),
        ("{rateType:'hourlyRate'}", "is no value of ExchangeRateType"),
        ("{companyName1:{_like:'A%'}}", "invalid operator _like"),
        ("{companyName1:{_gt:null}}", "_gt takes a value"),
        ("{companyName1:{_in:'Elm'}}", "_in takes an array"),
        ("{companyName1:{_regex:'('}}", "invalid regular expression"),
        ("{companyName1:{}}", "an operator is missing"),
        ("{_or:{}}", "_or takes an array"),
        ("{companyName1:{_and:{}}}", "_and takes an array"),
        ("{notes:'x'}", "text streams"),
        ("{addresses:{city:'LYON'}}", "a collection takes one of"),
        ("{addresses:{_atLeast:'1'}}", "_atLeast does not take this value"),
        ("{addresses:{_every:false}}", "_every does not take this value"),
        ("'0001'", "must be an object"),
        ("{companyName1 'Elm'}", "Unexpected ' at position 13"),
        ("{companyName1:'Elm'} x", "Unexpected x at position 20"),
        ("{companyName1:Elm}", "Unexpected E at position 14"),
        ("{companyName1:", "Unexpected end of text"),
        ("{companyName1:NaN}", "Unexpected N"),
        ('{"companyName1":NaN}', "Unexpected N"),
        ("{'companyName1':'Elm',}", "Unexpected }"),
        ("{1:'Elm'}", "Unexpected 1"),
        ("[" * 40, "Unexpected ["),
        (r"{companyName1:'\u0045lm'}", "5"),
        (r"{companyName1:'El\m'}", "5"),
        ("{authorizedCreditAmount:{_gt:1.0e2}}", "2"),
        ("{isActive:true,_id:{_in:['0001','0004']}}", "1"),
    ],
)
def test_filters_mean_what_the_vendors_guides_say(erp, text, expected):
    """Each operator, in strict and in relaxed JSON, and what is refused without data."""
    erp.edit("BPCUSTOMER", "0001", stamp=False, CHGTYP=1)
    erp.edit("BPCUSTOMER", "0002", stamp=False, OSTAUZ=Decimal("100.5"))
    erp.edit("BPCUSTOMER", "0004", stamp=False, BPCSTA=1)
    erp.edit("BPADDRESS", (1, "0003", "A01"), stamp=False, CTY="LYON")

    if expected.isdigit():
        assert [f"000{digit}" for digit in expected] == codes(page(erp, filter=text))
    else:
        assert expected in problem(erp, CODES, filter=text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"_id":1}', "12345"),
        ("{_id:-1}", "54321"),
        ("{companyName1:+1}", "12345"),
        ("{_updateStamp:-1,_id:1}", "45321"),
        ("{isActive:1,_id:-1}", "45321"),
        ("{code:{companyName1:-1}}", "54321"),
        ("{code:-1}", "54321"),
        ("{}", "12345"),
        ("{companyName1:2}", "a sort direction is 1 or -1"),
        ("{addresses:1}", "sorting on this property is not allowed"),
        ("{notes:1}", "sorting on this property is not allowed"),
        ("{nope:1}", "unknown property nope"),
        ("[{_id:1}]", "must be an object"),
    ],
)
def test_orders_mean_what_the_vendors_guides_say(erp, text, expected):
    """Several keys in their order, both ways, through references; anything else is refused without data."""
    erp.edit("BPCUSTOMER", "0004", BPCSTA=1)

    if expected.isdigit():
        assert [f"000{digit}" for digit in expected] == codes(page(erp, orderBy=text))
    else:
        assert expected in problem(erp, CODES, orderBy=text)


def test_a_site_may_refuse_stamps(erp):
    """Filtering on `_updateStamp` and sorting by it can be refused, each alone."""
    limits = erp.graphql.setup.limits
    since = '{"_updateStamp":{"_gte":"2026-01-18T08:00:00Z"}}'

    limits.stamp_filter = False
    assert "not allowed" in problem(erp, CODES, filter=since)
    assert 5 == len(codes(page(erp, orderBy='{"_updateStamp":1}')))
    limits.stamp_filter, limits.stamp_order = True, False
    assert "not allowed" in problem(erp, CODES, orderBy='{"_updateStamp":1}')
    assert 5 == len(codes(page(erp, filter=since)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{orderDate:{_gte:'2026-01-18'}}", 1),
        ("{orderDate:'2026-01-17'}", 1),
        ("{orderDate:'2026-01-17T00:00:00Z'}", "a value of type Date is expected"),
        ("{orderDate:'2026-02-30'}", "a value of type Date is expected"),
        ("{numberOfLines:2}", 1),
        ("{numberOfLines:'2'}", "a value of type Int is expected"),
        ("{_updateStamp:{_lt:'2026-02-30T08:00:00Z'}}", "a value of type Datetime is expected"),
        ("{authorized:true}", "unknown property authorized"),
        ("{linesAmountExcludingTax:true}", "a value of type Decimal is expected"),
        ("{soldToCustomer:'0001'}", 2),
        ("{soldToCustomer:{_ne:'0001'}}", 0),
    ],
)
def test_documents_are_filtered_by_days_and_numbers(erp, text, expected):
    """Days, whole numbers and amounts are compared as what they are; a value of another kind is refused."""
    line = ("BIK001", "City bike", 1, "600")
    erp.add_order("0001", [line], day=date(2026, 1, 17))
    erp.add_order("0001", [line, line], day=date(2026, 1, 18))
    document = "query($filter: String){x3Sales{salesOrder{query(filter:$filter){totalCount}}}}"

    if isinstance(expected, int):
        assert expected == ask(erp, document, filter=text)["x3Sales"]["salesOrder"]["query"]["totalCount"]
    else:
        assert expected in problem(erp, document, filter=text)


# -- pages ------------------------------------------------------------------------------------------------------------


def test_pages_follow_one_another(erp):
    """Cursors lead through all rows once, and pages say what lies before and behind them."""
    first = page(erp, first=2)
    second = page(erp, first=2, after=first["pageInfo"]["endCursor"])
    third = page(erp, first=2, after=second["pageInfo"]["endCursor"])

    assert [["0001", "0002"], ["0003", "0004"], ["0005"]] == [codes(one) for one in (first, second, third)]
    assert [True, True, False] == [one["pageInfo"]["hasNextPage"] for one in (first, second, third)]
    assert [False, True, True] == [one["pageInfo"]["hasPreviousPage"] for one in (first, second, third)]
    assert first["edges"][0]["cursor"] == first["pageInfo"]["startCursor"]
    assert {5} == {one["totalCount"] for one in (first, second, third)}


def test_a_row_that_moves_comes_again_at_the_end(erp):
    """A record updated while one pages in the order of stamps is seen a second time, and none is passed over."""
    order = '{"_updateStamp":1,"_id":1}'
    first = page(erp, first=3, orderBy=order)
    erp.edit("BPCUSTOMER", "0001", BPCREM="again")

    rest = page(erp, first=10, orderBy=order, after=first["pageInfo"]["endCursor"])

    assert ["0004", "0005", "0001"] == codes(rest)


def test_ties_are_lost_without_the_identifier(erp):
    """A cursor holds values: an order of stamps alone passes over rows with the stamp of a page's last one."""
    for key in ("0002", "0003"):
        erp.edit("BPCUSTOMER", key, UPDDATTIM=datetime(2026, 1, 18, 8, 1, tzinfo=UTC))
    seen = {}
    for order in ('{"_updateStamp":1}', '{"_updateStamp":1,"_id":1}'):
        first = page(erp, first=2, orderBy=order)
        seen[order] = codes(first) + codes(page(erp, orderBy=order, after=first["pageInfo"]["endCursor"]))

    assert [["0001", "0002", "0004", "0005"], ["0001", "0002", "0003", "0004", "0005"]] == list(seen.values())


def test_empty_stamps_come_first(erp):
    """Rows of old releases without a stamp come before all others, and their cursors lead on."""
    erp.edit("BPCUSTOMER", "0003", UPDDATTIM=None)
    order = '{"_updateStamp":1,"_id":1}'

    first = page(erp, first=1, orderBy=order)

    assert ["0003"] == codes(first)
    assert 'null,"0003"' in first["edges"][0]["cursor"]
    assert 4 == len(codes(page(erp, orderBy=order, after=first["pageInfo"]["endCursor"])))


def made_up(values):
    """A cursor with a right number behind it."""
    return f"{values}#{crc32(f'customer None {values}'.encode()) % 97}"


@pytest.mark.parametrize("cursor", ["0002", '["0002"]#98', made_up("[0002]"), made_up('["a","b"]'), made_up("[2]")])
def test_cursors_that_the_service_did_not_make_are_refused(erp, cursor):
    """A cursor of another form, or with other values, is an error."""
    assert "cursor" in problem(erp, CODES, after=cursor)


def test_a_cursor_of_another_order_is_refused(erp):
    """A cursor is good for the order that it was made in, and no other."""
    cursor = page(erp, first=2, orderBy='{"companyName1":1}')["pageInfo"]["endCursor"]

    assert "Invalid cursor" in problem(erp, CODES, after=cursor, orderBy='{"companyName1":-1}')
    assert "Invalid cursor" in problem(erp, CODES, after=cursor, orderBy='{"companyName1":1,"_id":1}')


def test_pages_have_twenty_rows_and_a_cap_if_the_site_sets_one(clock):
    """The default is 20 rows; more than the cap is cut, or refused."""
    with FakeSageX3(30, clock=clock, now=clock()) as erp:
        rules = erp.graphql.setup.rules
        sizes = [len(codes(page(erp)))]
        rules.cap = 25
        sizes += [len(codes(page(erp, first=28))), len(codes(page(erp, first=0)))]
        rules.refuses_more = True

        assert [20, 25, 0] == sizes
        assert "must not exceed 25" in problem(erp, CODES, first=28)
        assert "must not be negative" in problem(erp, CODES, first=-1)


def test_collections_have_pages_of_their_own(erp):
    """Lines of a document are filtered, ordered and paged apart from the documents."""
    lines = [(f"P{number}", "Part", number, "10") for number in range(1, 6)]
    erp.add_order("0001", lines, key="SON1")

    def read(**variables):
        edges = ask(erp, LINES, **variables)["x3Sales"]["salesOrder"]["query"]["edges"]
        return edges[0]["node"]["lines"]["query"]

    first = read()
    second = read(after=first["pageInfo"]["endCursor"])
    many = read(filter='{"quantityInSalesUnitOrdered":{"_gte":4}}', orderBy='{"lineNumber":-1}')

    assert [1000, 2000] == [edge["node"]["lineNumber"] for edge in first["edges"]]
    assert [3000, 4000] == [edge["node"]["lineNumber"] for edge in second["edges"]]
    assert [5000, 4000] == [edge["node"]["lineNumber"] for edge in many["edges"]]
    assert (5, True, 2) == (first["totalCount"], first["pageInfo"]["hasNextPage"], many["totalCount"])
    assert first["edges"][0]["cursor"].startswith("[1000]#")
    assert "unknown property nope" in problem(erp, LINES, filter='{"nope":1}')


# -- rights and schemas -----------------------------------------------------------------------------------------------


def test_a_right_that_is_missing_spoils_only_its_part(erp):
    """Without a node's read right its references and lists are null, with an error for each place."""
    erp.graphql.deny("CustomerContact.read")
    document = """{x3MasterData{customer{query(first:2){edges{node{_id defaultContact{_id}}}}}
      customerContact{query{totalCount}}}}"""

    answer = post(erp, document).json()

    nodes = [edge["node"] for edge in answer["data"]["x3MasterData"]["customer"]["query"]["edges"]]
    assert [{"_id": "0001", "defaultContact": None}, {"_id": "0002", "defaultContact": None}] == nodes
    assert {"query": None} == answer["data"]["x3MasterData"]["customerContact"]
    assert {"CustomerContact.read is not authorized"} == {error["message"] for error in answer["errors"]}
    places = sorted(len(error["path"]) for error in answer["errors"])
    assert [3, 7, 7] == places
    erp.graphql.allow("CustomerContact.read")
    assert "errors" not in post(erp, document).json()


@pytest.mark.parametrize("right", ["customer.write", "nope.read", "customer"])
def test_rights_are_named_after_nodes(erp, right):
    """A right that does not exist cannot be denied."""
    with pytest.raises(ValueError, match="no such right"):
        erp.graphql.deny(right)


def test_the_schema_of_2021_differs(erp):
    """The older release has its own packages and names, and does not know today's."""
    erp.graphql.setup.release = "2021"
    document = """{xtremX3MasterData{customer{read(_id:"0001"){code companyName
      defaultAddress{addressEmails{query(first:1){edges{node{email}}}}}}}}}"""

    found = ask(erp, document)["xtremX3MasterData"]["customer"]["read"]

    assert ("0001", "Alpine") == (found["code"], found["companyName"])
    slots = found["defaultAddress"]["addressEmails"]["query"]["edges"]
    assert [{"node": {"email": "alpine@x3.example"}}] == slots
    assert 'Cannot query field "x3MasterData"' in problem(erp, CODES)


def test_the_schema_can_be_asked_for(erp):
    """Introspection shows nodes and field codes, beside data if both are asked for, unless it is switched off."""
    document = '{__type(name:"Customer"){fields{name description}} x3MasterData{customer{query{totalCount}}}}'

    data = ask(erp, document)
    whole = ask(erp, get_introspection_query())

    described = {field["name"]: field["description"] for field in data["__type"]["fields"]}
    assert "Is active (BPCSTA)" == described["isActive"]
    assert "~partner" not in described
    assert 5 == data["x3MasterData"]["customer"]["query"]["totalCount"]
    assert "Query" == whole["__schema"]["queryType"]["name"]
    assert whole == ask(erp, get_introspection_query())
    erp.graphql.setup.introspection = False
    assert "introspection" in problem(erp, document)


def test_many_documents_and_introspections_are_answered(erp):
    """The service forgets old documents and goes on."""
    headers = {"Authorization": f"Bearer {erp.graphql.token()}", "x-xtrem-endpoint": erp.endpoint}
    with httpx.Client(headers=headers, trust_env=False) as http:
        documents = [f'{{ n{number}: __type(name: "Id") {{ name }} }}' for number in range(300)]
        answers = [http.post(erp.graphql_url, json={"query": text}).json()["data"] for text in documents]

    assert [{f"n{number}": {"name": "Id"}} for number in range(300)] == answers


def test_an_operation_that_the_document_lacks_is_refused(erp):
    """Of several operations the request names one that is there; nothing else is run, introspection included."""
    headers = {"Authorization": f"Bearer {erp.graphql.token()}", "x-xtrem-endpoint": erp.endpoint}
    text = "query A { __schema { queryType { name } } } query B { x3MasterData { customer { query { totalCount } } } }"

    replies = [
        HTTP.post(erp.graphql_url, json={"query": text, "operationName": name}, headers=headers)
        for name in ("A", "B", "C", None)
    ]

    assert [200, 200, 400, 400] == [reply.status_code for reply in replies]
    assert {"__schema": {"queryType": {"name": "Query"}}} == replies[0].json()["data"]
    assert {"x3MasterData": {"customer": {"query": {"totalCount": 5}}}} == replies[1].json()["data"]


def test_without_graphql_core_the_extra_is_named(erp, monkeypatch):
    """Where the engine is not installed, the answer says what to install."""
    for name in [name for name in sys.modules if name.startswith("mlconnector_sdk") and "_graphql_engine" in name]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "graphql", None)

    reply = post(erp, CODES)

    assert 599 == reply.status_code
    assert "mlconnector_sdk[testing]" in reply.text


# -- HTTP -------------------------------------------------------------------------------------------------------------


def test_a_body_that_is_no_json_gets_a_stack_trace(erp):
    """A malformed body is answered by the web server's page, not by JSON."""
    headers = {"Authorization": f"Bearer {erp.graphql.token()}", "x-xtrem-endpoint": "SEED"}
    kind = {"Content-Type": "application/json"}

    broken = HTTP.post(erp.graphql_url, content=b'{"query": nope}', headers={**headers, **kind})
    cut = HTTP.post(erp.graphql_url, content=b'{"query":', headers={**headers, **kind})

    assert (400, True) == (broken.status_code, broken.headers["content-type"].startswith("text/html"))
    assert "SyntaxError: Unexpected token n in JSON at position 10" in broken.text
    assert "at JSON.parse" in broken.text
    assert "Unexpected end of JSON input" in cut.text


@pytest.mark.parametrize(
    ("changes", "body", "message"),
    [
        ({"x-xtrem-endpoint": ""}, {"query": CODES}, "Header x-xtrem-endpoint is missing"),
        ({"x-xtrem-endpoint": "PROD"}, {"query": CODES}, "Endpoint PROD not found"),
        ({"content-type": "text/plain"}, {"query": CODES}, "Must provide query string."),
        ({}, {"query": ""}, "Must provide query string."),
        ({}, [], "Must provide query string."),
        ({}, {"query": CODES, "variables": "{}"}, "Variables are invalid JSON."),
    ],
)
def test_requests_that_are_no_graphql_are_refused(erp, changes, body, message):
    """A missing end point, another content type, and bodies without a document are refused with 400."""
    headers = {"authorization": f"Bearer {erp.graphql.token()}", "x-xtrem-endpoint": "SEED"}
    headers = {"content-type": "application/json", **headers, **changes}

    reply = HTTP.post(erp.graphql_url, content=json.dumps(body), headers=headers)

    assert (400, message) == (reply.status_code, reply.json()["errors"][0]["message"])


def test_only_posts_are_taken(erp):
    """Other methods find nothing at the service's address."""
    headers = {"Authorization": f"Bearer {erp.graphql.token()}"}

    assert 404 == HTTP.get(erp.graphql_url, headers=headers).status_code
    assert 404 == HTTP.get(erp.graphql.token_url).status_code
    assert 404 == HTTP.get(f"{erp.graphql.cloud_root}/nope").status_code
