"""The GraphQL service of the fake Sage X3 against the vendor's reference, samples, and answers in the true shape."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime

import httpx
import pytest
from graphql import get_introspection_query, parse

from mlconnector_sdk.testing import FakeClock, FakeSageX3
from tests.contracts import _sagex3_graphql_oracle as oracle

pytestmark = pytest.mark.skipif(
    oracle.spec_folder() is None, reason="the vendor contracts are not on this machine: set MLCONNECTOR_SPECS"
)

HTTP = httpx.Client(trust_env=False)
CUSTOMERS = """
query Customers($first: Int!, $after: String, $filter: String, $orderBy: String) {
  x3MasterData { customer { query(first: $first, after: $after, filter: $filter, orderBy: $orderBy) {
    totalCount
    edges {
      node {
        _id
        code { code companyName1 companyName2 isMailingProhibited language { code } country { code iso31661Alpha2 } }
        companyName1 isActive customerCategory { code description } currency { code }
        _createStamp _updateStamp _etag
        defaultAddress {
          code zipCode city state country { code iso31661Alpha2 }
          addressLines { query(first: 1) { edges { node { denormalizedIndex addressLine } } } }
          addressEmails { query(first: 2) { edges { node { denormalizedIndex emailType addressEmail } } } }
          addressPhoneNumbers { query(first: 0) { edges { node { denormalizedIndex } } } }
        }
        defaultContact {
          relationshipFirstName relationshipLastName relationshipEmail email relationshipIsMailingProhibited
        }
      }
      cursor
    }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
  } } }
}
"""
ORDERS = """
query Orders($first: Int) {
  x3Sales { salesOrder { query(first: $first) {
    totalCount
    edges {
      node {
        _id id orderDate category soldToCustomer { _id code { code } } currency { code } _updateStamp
        lines { query {
          edges { node {
            lineNumber sequenceNumber product { code description1 } quantityInSalesUnitOrdered salesUnit { code }
            grossPrice
          } }
          pageInfo { hasNextPage endCursor }
        } }
      }
      cursor
    }
    pageInfo { hasNextPage endCursor }
  } } }
}
"""


@pytest.fixture(autouse=True, scope="module")
def _closing():
    """One client for all tests, as making one takes longer than most of them."""
    with HTTP:
        yield


@pytest.fixture(name="erp")
def _erp():
    """Two customers, one of them without address and contact, and an order."""
    with FakeSageX3(clock=FakeClock(datetime(2026, 1, 18, 8, 14, 25, tzinfo=UTC))) as fake:
        fake.keep_bodies = True
        own = {"CRY": "FR", "LAN": "FRA", "CTY": "GRENOBLE", "BCGCOD": "FR"}
        fake.add_customer("0001", name="Alpine Cycles SARL", email="contact@alpine.example", **own)
        fake.add_customer("0002", name="Blue Harbour Ltd", last=None)
        fake.edit("BPCUSTOMER", "0002", BPAADD="")
        fake.add_customer("0003", name="Cedar Tools")
        fake.add_order("0001", [("BIK001", "City bike", 2, "620.25")], key="SON0001000045")
        yield fake


def ask(erp, document, **variables):
    """An answer of the service on premise; the exchange is checked by the oracle."""
    headers = {"Authorization": f"Bearer {erp.graphql.token()}", "x-xtrem-endpoint": erp.endpoint}
    reply = HTTP.post(erp.graphql_url, json={"query": document, "variables": variables}, headers=headers)
    oracle.check_graphql_exchange(*next(oracle.exchanges(erp.log[-1:])))
    return reply


def test_nodes_are_those_of_the_vendors_reference(erp):
    """Every node of the reference is there, and each property that it describes has the described type."""
    headers = {"Authorization": f"Bearer {erp.graphql.token()}", "x-xtrem-endpoint": erp.endpoint}
    reply = HTTP.post(erp.graphql_url, json={"query": get_introspection_query()}, headers=headers)

    # A prospect is a customer's twin that no source reads.
    oracle.check_schema(reply.json()["data"], without=frozenset({"Prospect"}))


def test_most_descriptions_end_in_the_field_code(erp):
    """About nine in ten descriptions of properties name the classic field, as counted on a real schema."""
    headers = {"Authorization": f"Bearer {erp.graphql.token()}", "x-xtrem-endpoint": erp.endpoint}
    reply = HTTP.post(erp.graphql_url, json={"query": get_introspection_query()}, headers=headers)
    kinds = {kind["name"]: kind for kind in reply.json()["data"]["__schema"]["types"]}
    fields = [
        field
        for name in oracle.reference().keys() & kinds.keys()
        for field in kinds[name]["fields"]
        if not field["name"].startswith("_")
    ]

    coded = [field for field in fields if field["description"].endswith(")")]

    assert 0.85 < len(coded) / len(fields) < 0.95
    assert "Company name 1 (BPRNAM)" in {field["description"] for field in coded}


def test_customers_come_in_the_documented_shape(erp):
    """A page of customers has the names, the nesting, the types and the kind of cursor of the vendor's answer."""
    expected = oracle.fixture("graphql_customer_query_page1.json")
    variables = {"first": 2, "filter": '{"_updateStamp":{"_gte":"2026-01-18T08:12:25Z"}}'}

    answer = ask(erp, CUSTOMERS, **variables, orderBy='{"_updateStamp":1,"_id":1}').json()

    assert oracle.outline(expected) == oracle.outline(answer)
    page = answer["data"]["x3MasterData"]["customer"]["query"]
    assert page["pageInfo"]["endCursor"].startswith('["2026-01-18T08:14:25.000Z","0002"]#')
    assert [None, None] == [page["edges"][1]["node"][name] for name in ("defaultAddress", "defaultContact")]


def test_orders_come_in_the_documented_shape(erp):
    """An order has its lines as a collection, amounts as texts, and the cursors of the vendor's answer."""
    expected = oracle.fixture("graphql_salesorder_query.json")

    answer = ask(erp, ORDERS, first=20).json()

    assert oracle.outline(expected) == oracle.outline(answer)
    edge, known = (one["data"]["x3Sales"]["salesOrder"]["query"]["edges"][0] for one in (answer, expected))
    assert known["cursor"].partition("#")[0] == edge["cursor"].partition("#")[0]
    line, known = (one["node"]["lines"]["query"]["edges"][0]["node"] for one in (edge, known))
    assert {**known, "sequenceNumber": line["sequenceNumber"]} == line


def test_a_missing_right_gives_partial_data_in_the_documented_words(erp):
    """Without the right to lines, an order comes with `lines` null, and the error is the vendor's."""
    expected = oracle.fixture("graphql_partial_data_with_errors_http200.json")
    erp.graphql.deny("salesOrderLine.read")

    reply = ask(erp, "{x3Sales{salesOrder{query{edges{node{_id id lines{query{totalCount}}}}}}}}")

    assert 200 == reply.status_code
    answer = reply.json()
    known, found = expected.pop("errors")[0], answer.pop("errors")[0]
    assert expected == answer
    assert {**known, "locations": found["locations"]} == found


def test_an_unknown_property_is_refused_in_the_documented_words(erp):
    """A property that X3 does not have is refused in the engine's words, before anything is read."""
    expected = oracle.fixture("graphql_validation_error.json")["errors"][0]
    headers = {"Authorization": f"Bearer {erp.graphql.token()}", "x-xtrem-endpoint": erp.endpoint}
    document = "{x3MasterData{customer{query{edges{node{updatedDate}}}}}}"

    found = HTTP.post(erp.graphql_url, json={"query": document}, headers=headers).json()["errors"][0]

    assert expected.keys() == found.keys()
    assert found["message"].startswith(expected["message"])


def test_refused_tokens_are_answered_in_the_documented_words(erp):
    """A wrong audience and a missing cloud token are answered with the vendor's two bodies."""
    on_premise = HTTP.post(erp.graphql_url, headers={"Authorization": f"Bearer {erp.graphql.token(aud='other')}"})
    cloud = HTTP.post(erp.graphql.cloud_url, json={"query": "{__typename}"})

    assert (401, oracle.fixture("graphql_http401_body.txt")) == (on_premise.status_code, on_premise.text)
    assert (401, oracle.fixture("graphql_cloud_http401_body.json")) == (cloud.status_code, cloud.json())


def test_the_gateway_lists_its_addresses_as_documented(erp):
    """The root document is the vendor's but for the host."""
    text = json.dumps(oracle.fixture("cloud_root_api.json"))

    expected = json.loads(text.replace("https://api.eu-prod-sagex3.example/v1", erp.graphql.cloud_root))

    assert expected == HTTP.get(erp.graphql.cloud_root).json()


def test_cloud_tokens_claim_what_is_documented(erp):
    """An access token has the vendor's claims and lives five minutes."""
    expected = oracle.fixture("cloud_access_token_claims.json")
    body = erp.graphql.gateway.issue_pair()["access_token"].split(".")[1]

    claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))

    assert expected.keys() == claims.keys()
    assert expected["exp"] - expected["iat"] == claims["exp"] - claims["iat"]
    own = ("iss", "aud", "region", "azp", "scopes")
    assert {name: expected[name] for name in own} == {name: claims[name] for name in own}


def test_sages_own_documents_are_of_our_form(erp):
    """Operations, arguments and types of variables in Sage's samples are those that this service takes."""
    headers = {"Authorization": f"Bearer {erp.graphql.token()}", "x-xtrem-endpoint": erp.endpoint}
    for text in oracle.sample_documents():
        own = text.replace("x3Purchasing", "x3Sales")
        for name in ("purchaseReceiptLine", "purchaseOrder "):
            own = own.replace(name, "salesOrder " if name.endswith(" ") else "salesOrderLine")
        assert parse(text)

        reply = HTTP.post(erp.graphql_url, json={"query": own}, headers=headers)

        messages = [error["message"] for error in reply.json()["errors"]]
        assert messages
        assert all(message.startswith("Cannot query field") for message in messages), messages


@pytest.mark.parametrize(
    ("document", "variables", "reason"),
    [
        ("{x3MasterData{customer{query{edges{node{updatedDate}}}}}}", {}, "not valid against"),
        ('{x3MasterData{customer{query(filter:"{}"){totalCount}}}}', {}, "spliced"),
        (CUSTOMERS, {"first": 5000}, "pages of 5000"),
        (CUSTOMERS, {"first": 5, "orderBy": '{"_updateStamp":1}'}, "without _id"),
        (CUSTOMERS, {"first": 5, "filter": '{"code":{"$in":["0001"]}}'}, "dialect of 2020"),
        (CUSTOMERS, {"first": 5, "filter": '{"code":{"_like":"0001"}}'}, "no operator _like"),
        (CUSTOMERS, {"first": 5, "filter": "{code:'0001'}"}, "Expecting property name"),
        (CUSTOMERS, {"first": 5, "after": "0001"}, "no cursor"),
    ],
)
def test_the_oracle_finds_what_clients_must_not_send(erp, document, variables, reason):
    """Each thing that the real service refuses, or that loses rows, fails the oracle."""
    headers = {"Authorization": "Bearer x.y.z", "x-xtrem-endpoint": erp.endpoint}
    HTTP.post(erp.graphql_url, json={"query": document, "variables": variables}, headers=headers)

    with pytest.raises((AssertionError, ValueError), match=reason):
        oracle.check_graphql_exchange(*next(oracle.exchanges(erp.log[-1:])))


@pytest.mark.parametrize(
    "changes",
    [
        {"authorization": ""},
        {"x-authorization": "Bearer x"},
        {"x-xtrem-endpoint": ""},
        {"content-type": "text/plain"},
    ],
)
def test_the_oracle_reads_headers(erp, changes):
    """Headers that are missing or made up fail the oracle."""
    headers = {"Authorization": "Bearer x.y.z", "x-xtrem-endpoint": erp.endpoint, "Content-Type": "application/json"}
    HTTP.post(erp.graphql_url, content=b'{"query":"{__typename}"}', headers={**httpx.Headers(headers), **changes})

    with pytest.raises(AssertionError):
        oracle.check_graphql_exchange(*next(oracle.exchanges(erp.log[-1:])))
