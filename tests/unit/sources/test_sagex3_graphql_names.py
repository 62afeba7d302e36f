"""Finding names in schemas that are made up, one peculiarity each."""

from __future__ import annotations

import pytest

from mlconnector_sdk.errors import ContractError
from mlconnector_sdk.sources.sagex3._api import CUSTOMERS, INVOICES
from mlconnector_sdk.sources.sagex3._graphql_places import Atlas
from mlconnector_sdk.sources.sagex3._graphql_plans import Planner
from mlconnector_sdk.sources.sagex3._graphql_queries import all_of, by_ways
from mlconnector_sdk.sources.sagex3._graphql_schema import Schema

SCALARS = {"String", "Boolean", "Int", "Decimal", "Date", "Datetime", "Id"}


def shown(types):
    """What asks for a schema of these types, each written as `name:Type (CODE), …`; collections end in `*`."""
    whole = dict(types)
    for text in types.values():
        for _, kind, _ in members(text):
            if kind.endswith("*"):
                whole |= listed(kind[:-1], f"{kind[:-1]}_Collection")

    def ask(text, variables, operation, retry):
        if "__schema" in text:
            return {"__schema": {"queryType": described("Query", whole["Query"])}}
        return {key: described(name, whole[name]) if name in whole else None for key, name in variables.items()}

    return ask


def listed(kind, name):
    """The types around the rows of a `query`."""
    return {
        name: f"query:{kind}_Connection",
        f"{kind}_Connection": f"edges:{kind}_Edge",
        f"{kind}_Edge": f"node:{kind}",
    }


def members(text):
    """Name, type and description of each property."""
    for one in filter(None, text.split(", ")):
        name, _, rest = one.partition(":")
        kind, _, description = rest.partition(" ")
        yield name, kind, description


def described(name, text):
    """A type as introspection gives it; objects are wrapped as they may be."""
    fields = []
    for one, kind, description in members(text):
        named = f"{kind[:-1]}_Collection" if kind.endswith("*") else kind
        inner = {"kind": "SCALAR" if kind in SCALARS else "OBJECT", "name": named, "ofType": None}
        wrapped = inner if kind in SCALARS else {"kind": "NON_NULL", "name": None, "ofType": inner}
        fields.append({"name": one, "description": description or None, "type": wrapped})
    return {"name": name, "fields": fields}


def site(customer, **types):
    """A schema whose customer has these properties."""
    return {
        "Query": "x3MasterData:Packages",
        "Packages": "customer:Customer_Operations",
        **listed("Customer", "Customer_Operations"),
        "Customer": f"_id:Id, {customer}",
        **types,
    }


def atlas(customer, **types):
    """The map of such a schema, and the customer in it."""
    found = Atlas(Schema(shown(site(customer, **types)), {}))
    return found, found.kind("Customer")


def names(customer, code, **types):
    """Where a field of the customer is."""
    found, kind = atlas(customer, **types)
    return [place.name for place in found.places(kind, "BPCUSTOMER", code)]


def test_occurrences_are_rows_of_a_type_named_after_both():
    """The names of an invoice's customer are such rows; other collections with that code are not looked into."""
    types = {"CustomerTitles": "title:String Title (BPCNAM)", "Other": "title:String Title (BPCNAM)"}

    assert ["titles.title"] == names("others:Other*, titles:CustomerTitles*", "BPCNAM", **types)


def test_a_collection_that_has_the_code_itself_is_looked_into():
    """Its rows have a value with the same code, or it is no place of it."""
    assert ["slots.email"] == names("slots:Slot* E-mails (WEB)", "WEB", Slot="email:String E-mail (WEB)")
    assert [] == names("slots:Slot* E-mails (WEB)", "WEB", Slot="email:String")


def test_of_several_properties_with_one_code_the_vendors_name_wins():
    """Else the shortest one, unless they are numbered."""
    assert ["companyName1"] == names("longName:String N (BPCNAM), companyName1:String N (BPCNAM)", "BPCNAM")
    assert ["name"] == names("nameOfAll:String N (BPCNAM), name:String N (BPCNAM)", "BPCNAM")
    assert ["name1", "name2"] == names("name2:String N (BPCNAM), name1:String N (BPCNAM)", "BPCNAM")


def test_a_long_text_is_its_value():
    """By code, by path, and never further down."""
    found, kind = atlas("notes:Stream Notes (BPCREM)", Stream="value:String")

    assert ["notes.value"] == [place.name for place in found.places(kind, "BPCUSTOMER", "BPCREM")]
    assert "notes.value" == found.walk(kind, "notes").name
    assert found.walk(kind, "notes.value") is None
    assert found.reference(kind, "BPCUSTOMER", "BPCREM") is None


def test_a_path_ends_at_a_value():
    """Not at a collection, and not beyond a plain value."""
    found, kind = atlas("slots:Slot*, name:String", Slot="email:String")

    assert "slots.email" == found.walk(kind, "slots.email").name
    assert [None, None, None] == [found.walk(kind, path) for path in ("slots", "name.x", "slots.none")]


def test_a_reference_without_a_code_is_known_by_its_id():
    """Also where codes lead to codes without end."""
    assert ["currency._id"] == names("currency:Money Currency (CUR)", "CUR", Money="_id:Id, name:String")
    assert ["currency.code.code.code._id"] == names("currency:Loop Currency (CUR)", "CUR", Loop="_id:Id, code:Loop")


def test_a_partner_that_cannot_be_found_by_its_key_is_not_read():
    """Neither where the service has no such node, nor where that has no key; the log and the error say so."""
    lonely = site("code:String Code (BPCNUM), isActive:Boolean")
    keyless = lonely | {
        "Packages": "customer:Customer_Operations, businessPartner:Partner_Operations",
        **listed("Partner", "Partner_Operations"),
        "Partner": "_id:Id, isMailingProhibited:Boolean",
    }
    for types in (lonely, keyless):
        plan = Planner(Schema(shown(types), {}), {}).plan(CUSTOMERS)

        assert () == plan.beside
        assert "no property for BPARTNER.BPRFBDMAG" in plan.lacking


def test_a_node_without_a_query_is_none():
    """Packages publish mutations of nodes whose lists they do not."""
    types = site("code:String") | {"Customer_Operations": "create:Customer"}

    with pytest.raises(ContractError, match="no node customer"):
        Schema(shown(types), {}).node("BPCUSTOMER")


@pytest.mark.parametrize(
    ("types", "message"),
    [
        (site("code:String") | {"Customer_Connection": "totalCount:Int"}, "Customer_Operations has no rows"),
        ({name: text for name, text in site("code:String").items() if name != "Customer"}, "no type Customer"),
    ],
)
def test_a_schema_of_another_form_is_told(types, message):
    """The error names the type."""
    with pytest.raises(ContractError, match=message):
        Schema(shown(types), {}).node("BPCUSTOMER")


def test_a_service_that_shows_nothing_is_told():
    """An empty answer to an introspection is no schema."""
    with pytest.raises(ContractError, match="shows no schema"):
        Schema(lambda *_: {"__schema": None}, {}).packages()


def test_types_that_only_might_be_needed_may_be_hidden():
    """Nothing is lost without them."""
    types = site("code:String Code (BPCNUM), isActive:Boolean, currency:Hidden Currency (CUR)")
    schema = Schema(shown(types), {})

    assert "Customer" == schema.node("BPCUSTOMER").kind
    with pytest.raises(ContractError, match="no type Hidden"):
        schema.kind("Hidden")


def test_documents_of_an_old_release_are_not_there():
    """A service that has no sales at all says which packages there are."""
    with pytest.raises(ContractError, match="there is x3MasterData"):
        Planner(Schema(shown(site("code:String")), {}), {}).plan(INVOICES)


def test_conditions_leave_out_what_a_node_does_not_have():
    """A node of partners' addresses alone has no kind of owner; menus are written by their names."""
    plan = Planner(Schema(shown(site("code:String (BPCNUM), kind:String (BPATYP)")), {}), {}).plan(CUSTOMERS)
    one = {"BPATYP": 1, "BPCNUM": "A"}

    assert '{"code":{"_eq":"A"}}' == all_of(plan, one)
    assert ["_or"] == list(by_ways(plan, [one, {"BPATYP": 1, "BPCNUM": "B"}]))
    assert '{"_in":["A","B"]}' in by_ways(plan, [{"BPCNUM": "A"}, {"BPCNUM": "B"}])["_in"]
