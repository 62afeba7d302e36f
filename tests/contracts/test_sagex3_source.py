"""The Sage X3 source: the promises of every source, each exchange held to what is known of api1, and its samples."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import ClassVar

import attrs
import pytest

from mlconnector_sdk._http import HttpReply
from mlconnector_sdk.cursors import Window
from mlconnector_sdk.errors import ContractError, RecordNotFoundError
from mlconnector_sdk.models import Address
from mlconnector_sdk.sources.sagex3._api1 import judge, listed_in, next_path, types_in
from mlconnector_sdk.testing import SourceContract
from tests.contracts import _sagex3_oracle as oracle
from tests.unit.sources._sagex3 import REPRESENTATIONS, records_of, site, source_of

NOW = datetime(2026, 3, 10, 20, tzinfo=UTC)

needs_specs = pytest.mark.skipif(
    oracle.spec_folder() is None, reason="the vendor contracts are not on this machine: set MLCONNECTOR_SPECS"
)


# -- the promises of every source -----------------------------------------------------------------------------------


class SageX3Contract(SourceContract):
    """One site for all promises; the clock of the machine, so that `check` finds it in order.

    Attributes:
        door: how api1 behaves there.
        looks: how it writes values.
        api: settings of `SageX3Rest`.
        settings: settings of `SageX3`.
    """

    folder: ClassVar[Mapping[str, object]] = {}
    door: ClassVar[Mapping[str, object]] = {}
    looks: ClassVar[Mapping[str, object]] = {}
    api: ClassVar[Mapping[str, object]] = {}
    settings: ClassVar[Mapping[str, object]] = {}

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _site(cls, request):
        sizes = {"customers": 20, "contacts": 15, "suppliers": 6, "orders": 12, "invoices": 12}
        with site(**sizes, **cls.folder) as erp:
            for name, value in cls.door.items():
                setattr(erp.api1, name, value)
            erp.api1.looks = attrs.evolve(erp.api1.looks, **cls.looks)
            cls.erp = erp
            yield

    def make_source(self):
        return source_of(self.erp, api={"page_size": 7, **self.api}, **self.settings)


class TestInvoices(SageX3Contract):
    pass


class TestSalesOrders(SageX3Contract):
    settings: ClassVar[Mapping[str, object]] = {"orders": "sales_orders", "customer_email": "address"}


class TestWithoutFilterByMoments(SageX3Contract):
    """Changes are found by calendar days."""

    door: ClassVar[Mapping[str, object]] = {"datetime_where": False}


class TestWithoutFilterByStamps(SageX3Contract):
    """Changes are found by the latest first."""

    door: ClassVar[Mapping[str, object]] = {"stamp_where": False}


class TestWithoutAnyOrder(SageX3Contract):
    """Changes are found by reading everything."""

    door: ClassVar[Mapping[str, object]] = {"stamp_where": False, "order_by_stamp": False}


class TestThinLists(SageX3Contract):
    """No representation was built for us: everything is put together of classes and single records."""

    # Lists of persons at partners have no stamp, and what they lack comes from beside them.
    streams = ("customers", "suppliers", "orders")
    api: ClassVar[Mapping[str, object]] = {"representations": {}}
    folder: ClassVar[Mapping[str, object]] = {"rich": False}


class TestProxiedPages(SageX3Contract):
    """Pages are capped, the links name an inner host, and a last page may have one too."""

    door: ClassVar[Mapping[str, object]] = {
        "page_cap": 3,
        "link_host": "http://inner.example:8124",
        "link_after_last": True,
    }


class TestUndescribedFacets(SageX3Contract):
    """The server does not describe its facets, so rows tell what they have."""

    door: ClassVar[Mapping[str, object]] = {"prototypes": False}


class TestPaddedValues(SageX3Contract):
    """Texts are filled with blanks, and no date is a day of 1599."""

    looks: ClassVar[Mapping[str, object]] = {"padded": True, "no_date": "1599-12-31", "etags": False}


# -- what is known of api1 ------------------------------------------------------------------------------------------


@needs_specs
@pytest.mark.parametrize("representations", [REPRESENTATIONS, {}], ids=["rich", "thin"])
@pytest.mark.parametrize("orders", ["invoices", "sales_orders"])
@pytest.mark.parametrize("refuses", [(), ("datetime_where",), ("stamp_where",), ("stamp_where", "order_by_stamp")])
def test_every_exchange_fits_the_contract(refuses, orders, representations):
    """Full scans, windows, fetches and checks ask only what is documented that one can ask."""
    with site(customers=8, contacts=6, suppliers=3, orders=6, invoices=6, clock=lambda: NOW) as erp:
        erp.keep_bodies = True
        for name in refuses:
            setattr(erp.api1, name, False)
        customer = erp.add_customer("O'HARA &/1", name="O'Hara & Ünal", email="o@hara.example", first="Max")
        erp.add_invoice(customer, [("BIK001", "Bike", 1, 10)])
        erp.add_order(customer, [("BIK001", "Bike", 1, 10)])
        api = {"representations": representations, "page_size": 3}
        with source_of(erp, api=api, orders=orders, custom_fields={"customers": ["TSCCOD"]}) as source:
            everything(source)
        erp.forbid("BPSUPPLIER")
        with source_of(erp, api=api) as source:
            assert [row.what for row in source.check() if not row.ok] == ["clock", "stream suppliers"]

    assert len(erp.log) > 40
    for entry in erp.log:
        oracle.check_api1_exchange(entry.request, entry.status, entry.response_body)


def everything(source):
    """Use every way to ask."""
    list(source.check())
    for stream in source.streams:
        found = records_of(source.read(stream))
        assert found
        list(source.read(stream, Window(lower=datetime(2025, 9, 1, tzinfo=UTC), upper=source.present(stream))))
        assert set(records_of(source.fetch(stream, [*found, "gone", "gone~too"]))) == set(found)


# -- samples --------------------------------------------------------------------------------------------------------


def reply(status, name):
    """An answer in the true shape."""
    body = json.dumps(oracle.fixture(name)).encode()
    return HttpReply(status=status, headers={"content-type": "application/json"}, body=body)


@pytest.fixture
def source():
    """A source that asks nobody."""
    with site() as erp, source_of(erp) as source:
        yield source


@needs_specs
def test_the_pages_of_a_list_follow_its_links():
    """The first page of the default list leads to the second, whose link leads nowhere."""
    first, last = (listed_in(oracle.fixture(f"api1_bpcustomer_query_{name}.json")) for name in ("page1", "page2_last"))

    assert [row["BPCNUM"] for row in (*first.rows, *last.rows)] == ["0001", "0002", "0003"]
    assert next_path(first.next_link, "/api1/x3/erp/SEED") == (
        "/BPCUSTOMER?representation=BPCUSTOMER.$query&count=2&key=gt.0002"
    )
    assert last.next_link == ""


@needs_specs
def test_a_row_of_a_purpose_made_representation_is_a_whole_customer(source):
    """One row has everything: the contact's address first, the flags, the language, the default address."""
    [row] = oracle.fixture("api1_custom_representation_query.json")["$resources"]

    customer = source.parse("customers", row)

    assert ("0001", "Alpine Cycles SARL", "lea@alpine.example") == (customer.key, customer.name, customer.email)
    assert ("Léa", "Martin", "fr", "EUR") == (
        customer.first_name,
        customer.last_name,
        customer.language,
        customer.currency,
    )
    assert ("active", False) == (customer.status, customer.opted_out)
    assert datetime(2026, 1, 18, 8, 14, 25, tzinfo=UTC) == customer.modified_at
    assert customer.address == Address(line1="12 rue des Arts", city="GRENOBLE", postal_code="38000", country="FR")


@needs_specs
def test_the_details_of_an_order_are_an_order_with_lines(source):
    """Amounts are exact, lines are those of the embedded collection."""
    row = json.loads(json.dumps(oracle.fixture("api1_sorder_details.json")), parse_float=Decimal)

    order = source.parse("orders", row)

    assert ("SON0001000045", "order", "0001", "EUR") == (order.key, order.kind, order.customer_key, order.currency)
    assert (Decimal("1488.6"), Decimal("248.1")) == (order.total, order.tax)
    assert date(2026, 1, 18) == order.placed_on
    [line] = order.lines
    assert ("BIK001", "City bike", 2, Decimal("620.25"), Decimal("1240.50")) == (
        line.product_key,
        line.title,
        line.quantity,
        line.unit_price,
        line.amount,
    )


@needs_specs
@pytest.mark.parametrize(
    ("status", "name", "kind"),
    [
        (200, "api1_bpcustomer_query_page1.json", None),
        (200, "api1_query_empty.json", None),
        (200, "api1_record_not_found_http200.json", RecordNotFoundError),
        (500, "api1_error_http500_bad_where.json", ContractError),
    ],
)
def test_answers_are_judged_by_what_they_say(status, name, kind):
    """A status of 200 proves nothing, and a 500 that blames the question is no failure of the server."""
    error = judge(reply(status, name), "GET BPCUSTOMER/BPCUSTOMER.$query")

    assert kind is type(error) if kind else error is None


@needs_specs
def test_a_description_of_a_facet_names_its_fields():
    """Codes and types, and nothing internal."""
    types = types_in(oracle.fixture("api1_prototype_query_facet.json"))

    assert {"BPCNUM", "BPCNAM", "UPDDATTIM"} == set(types)
    assert types["UPDDATTIM"].endswith("datetime")
