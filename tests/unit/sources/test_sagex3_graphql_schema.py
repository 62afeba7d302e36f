"""Names of Sage X3's GraphQL schemas: found by field codes, by the vendor's names, by the site's own."""

from __future__ import annotations

import json
import re

import attrs
import pytest

from mlconnector_sdk.errors import ContractError
from mlconnector_sdk.retry import RetryPolicy
from mlconnector_sdk.sources.sagex3 import SageX3
from mlconnector_sdk.sources.sagex3._api import CONTACTS, CUSTOMERS, ENTITIES, INVOICES, PARTNERS, SALES_ORDERS
from mlconnector_sdk.sources.sagex3._graphql_plans import Planner
from mlconnector_sdk.sources.sagex3._graphql_schema import Schema
from mlconnector_sdk.testing import FakeClock, FakeSageX3
from tests.unit.sources._sagex3_graphql import documents, door, source_of


@pytest.fixture(name="erp", scope="module")
def _erp():
    """A site with a few records."""
    with FakeSageX3(customers=6, suppliers=2, invoices=3, clock=FakeClock()) as fake:
        yield fake


@pytest.fixture(autouse=True)
def _current(erp):
    """Each test begins with today's schema."""
    erp.graphql.setup.release = "current"
    erp.log.clear()


@pytest.fixture(name="ask")
def _ask(erp):
    """Sends documents to the site."""
    connection = door(erp).connect(RetryPolicy.immediate())
    connection.attach(retry=None, on_wait=None, clock=erp.site.clock)
    yield connection._session.ask
    connection.close()


def edited(ask, change):
    """The same, where `change` is given each type's name and each of its properties to alter."""

    def asking(text, variables, operation, retry):
        data = json.loads(json.dumps(ask(text, variables, operation, retry)))
        for kind in (data.get("__schema") or {}).get("queryType"), *data.values():
            for field in (kind or {}).get("fields") or ():
                change(kind["name"], field)
            if kind and "fields" in kind:
                kind["fields"] = [field for field in kind["fields"] if field["name"]]
        return data

    return asking


def plan(ask, entity, change=lambda kind, field: None, names=None):
    """How an entity would be read of an altered schema."""
    return Planner(Schema(edited(ask, change), {}), names or {}).plan(entity)


def places(made):
    """Names of properties by field code."""
    return {field.code: [place.name for place in field.places] for field in made.fields}


def without_codes(kind, field):
    """Descriptions are plain words."""
    field["description"] = re.sub(r" \([A-Z0-9]+\)$", "", field.get("description") or "")


def without(*names):
    """Some properties are gone."""

    def change(kind, field):
        if f"{kind}.{field['name']}" in names:
            field["name"] = ""

    return change


def test_properties_are_found_by_their_field_codes(ask):
    """A reference's value is its key, a country's its ISO code, and rows beside are behind references."""
    found = places(plan(ask, CUSTOMERS))

    assert {
        "BPCNUM": ["code.code"],
        "BPCNAM": ["companyName1"],
        "BPCSTA": ["isActive"],
        "BCGCOD": ["customerCategory.code"],
        "CNTNAM": ["defaultContact.code.code"],
        "UPDDATTIM": ["_updateStamp"],
        "BPARTNER.BPRNAM": ["code.companyName1", "code.companyName2"],
        "BPARTNER.BPRFBDMAG": ["code.isMailingProhibited"],
        "BPADDRESS.WEB": ["defaultAddress.addressEmails.addressEmail"],
        "CONTACT.WEB": ["defaultContact.email"],
        "CONTACTCRM.CNTWEB": ["defaultContact.code.email"],
    }.items() <= found.items()


def test_the_vendors_names_serve_where_descriptions_do_not(ask):
    """Without a single field code in a description the same properties are found, as far as they are documented."""
    for entity in (CUSTOMERS, CONTACTS, PARTNERS):
        coded, named = plan(ask, entity), plan(ask, entity, without_codes)

        changed = {code for code, place in places(coded).items() if places(named).get(code) != place}
        # The second line of a name, and a copy of the person's flag, have no name of their own.
        assert changed <= {"BPARTNER.BPRNAM", "CNTFBDMAG"}
        assert not named.lacking


def test_the_schema_of_2021_has_other_packages_names_and_scalars(erp, ask):
    """Keys are texts there, so the partner is looked up beside the customer."""
    erp.graphql.setup.release = "2021"
    made = plan(ask, CUSTOMERS)
    found = places(made)

    assert "xtremX3MasterData.customer" == str(made.node)
    assert "the schema of 2021 and 2022" == made.node.era
    assert ["code"] == found["BPCNUM"]
    assert ["companyName"] == found["BPCNAM"]
    assert ["defaultAddress.addressEmails.email"] == found["BPADDRESS.WEB"]
    assert ["BPARTNER"] == [one.join.table for one in made.beside]
    assert "BPARTNER.BPRFBDMAG" in made.known.fields


def test_amounts_that_no_description_names_are_asked_for(ask):
    """The vendor documents no names of amounts: the error names node, field, schema and setting."""
    made = plan(ask, INVOICES, without_codes)

    assert "x3Sales.salesInvoice (the schema of 2022 R3 and later) has no property for INVATI" in made.lacking
    assert "properties={'invoices': {'INVATI': '…'}}" in made.lacking
    assert "lines of x3Sales.salesInvoice" in made.lacking
    assert "'SINVOICED.QTY'" in made.lacking


def test_the_site_names_what_nobody_else_does(ask):
    """Settings come first, for fields of rows, of lines and of tables beside."""
    names = {
        "invoices": {
            "INVATI": "totalAmountIncludingTax",
            "INVNOT": "totalAmountExcludingTax",
            "SINVOICED": "lines",
            "SINVOICED.QTY": "quantityInSalesUnit",
            "SNS": "sign",
        },
        "addresses": {"WEB": "addressEmails.addressEmail"},
        "customers": {
            "BPADDRESS.TEL": "defaultContact.landline",
            "BPCNAM": "code.companyName1",
            "BPAADD": "billToCustomerAddress.code",
        },
    }
    invoices = plan(ask, INVOICES, without_codes, names)
    customers = places(plan(ask, CUSTOMERS, without_codes, names))

    assert "" == invoices.lacking
    assert {"QTY", "ITMREF"} <= {field.code for field in invoices.lines.fields}
    assert [
        ["code.companyName1"],
        ["defaultContact.landline"],
        ["billToCustomerAddress.addressEmails.addressEmail"],
    ] == [customers[code] for code in ("BPCNAM", "BPADDRESS.TEL", "BPADDRESS.WEB")]


def test_a_wrong_name_of_the_site_is_told(ask):
    """The error repeats the path and says where it was looked for."""
    made = plan(ask, CUSTOMERS, names={"customers": {"BPCNAM": "code.name", "BPCSTA": "isActive.x"}})

    assert "x3MasterData.customer has no code.name, which properties names for BPCNAM" in made.lacking
    assert "has no isActive.x" in made.lacking


def test_what_is_only_wished_for_is_left_out(ask):
    """A customer without category is read all the same."""
    made = plan(ask, CUSTOMERS, without("Customer.customerCategory", "Customer.creditControl"))

    assert not made.lacking
    assert {"BCGCOD", "OSTCTL"}.isdisjoint(made.known.fields)


def test_a_flag_that_is_nowhere_stops_the_stream(erp, ask):
    """Nobody is mailed where it cannot be read who must not be."""
    schema = Schema(edited(ask, without("BusinessPartner.isMailingProhibited")), {})
    with source_of(erp) as source:
        source._connection._planner = Planner(schema, {})
        with pytest.raises(ContractError, match=r"has no property for BPARTNER\.BPRFBDMAG.*mailing_flags=False"):
            list(source.read("customers"))
    with source_of(erp, mailing_flags=False) as source:
        source._connection._planner = Planner(schema, {})
        assert list(source.read("customers"))


def test_a_flag_of_the_node_itself_will_do(ask):
    """A partner that cannot be reached is not needed where the customer has the flag."""

    def change(kind, field):
        if kind == "Customer" and field["name"] == "code":
            field["type"] = {"kind": "SCALAR", "name": "String"}
        if kind == "Customer" and field["name"] == "rateType":
            field.update(name="isMailingProhibited", description="Mailing (BPRFBDMAG)")

    made = plan(ask, CUSTOMERS, change)

    assert not made.lacking
    assert not made.beside
    assert "BPRFBDMAG" in made.known.fields


def test_documents_without_a_collection_of_lines_are_refused(ask):
    """The error names the setting; without a name the documents come without lines."""
    change = without("SalesOrder.lines")

    assert "x3Sales.salesOrder has no collection lines" in plan(ask, SALES_ORDERS, change).lacking
    assert "" == plan(ask, SALES_ORDERS, change, {"sales_orders": {"SOHSOP": ""}}).lacking
    assert (
        ""
        == plan(ask, SALES_ORDERS, without("SalesOrderLine.product"), {"sales_orders": {"SOHSOP.ITMREF": ""}}).lacking
    )
    assert "no collection id" in plan(ask, SALES_ORDERS, names={"sales_orders": {"SOHSOP": "id"}}).lacking


def test_nodes_of_a_custom_package_are_found_and_can_be_named(ask):
    """A site's own package with the vendor's nodes is found by itself, any other by its name."""

    def renamed(kind, field):
        if kind == "Query" and field["name"] == "x3MasterData":
            field["name"] = "acmeMasterData"

    queried = edited(ask, renamed)

    assert "acmeMasterData.customer" == str(Schema(queried, {}).node("BPCUSTOMER"))
    named = Schema(queried, {"suppliers": "acmeMasterData.customer", "invoices": "acmeMasterData.none"})
    assert "acmeMasterData.customer" == str(named.node("BPSUPPLIER"))
    assert "a package of the site" == named.node("BPSUPPLIER").era
    with pytest.raises(ContractError, match=r"no node acmeMasterData\.none.*nodes={'invoices': 'package\.node'}"):
        named.node("SINVOICEV")


def test_a_site_without_sales_is_told_which_packages_there_are(ask):
    """The error names what was looked for, by release, and what there is."""
    with pytest.raises(ContractError, match=r"x3Sales .*xtremX3Sales .* there is x3MasterData"):
        Schema(edited(ask, without("Query.x3Sales")), {}).node("SINVOICEV")


def test_custom_fields_are_found_by_code_by_name_and_by_path(erp):
    """What a site asks for in addition is in the raw row under the name that was given."""
    custom = {"customers": ["BPCREM", "minimumOrderAmount", "code.acronym", "BPARTNER.EECNUM"]}
    with source_of(erp, custom_fields=custom) as source:
        raw = next(record.raw for page in source.read("customers") for record in page)

    assert set(custom["customers"]) <= set(raw)


def test_the_schema_is_asked_for_once_and_in_few_questions(erp, ask):
    """Types come in batches; a second stream and a second read ask for little or nothing more."""
    with source_of(erp) as source:
        list(source.read("customers"))
        first = source.request_count
        list(source.read("customers"))
        second = source.request_count
        for stream in source.streams:
            list(source.read(stream))

    introspections = [
        entry for entry in erp.log if b"__type" in entry.request.body or b"__schema" in entry.request.body
    ]
    assert 1 == second - first
    assert len(introspections) < 15
    assert len(documents(erp)) == len(erp.log) - len(introspections)


def test_every_table_has_a_node(erp, ask):
    """Whatever the source may ask for has its place in both schemas."""
    for release in ("current", "2021"):
        erp.graphql.setup.release = release
        made = [plan(ask, attrs.evolve(entity, needed={})) for entity in ENTITIES.values()]

        assert [""] * len(ENTITIES) == [one.lacking for one in made]
        assert all(one.known.stamps == {"UPDDATTIM": "moment"} for one in made)


def test_a_source_says_what_it_reads(erp):
    """Its name shows the address and no secret."""
    with source_of(erp) as source:
        assert isinstance(source, SageX3)
        assert f"<SageX3 {erp.graphql_url}>" == repr(source)
