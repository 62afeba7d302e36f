"""The Sage X3 source through GraphQL: the promises of every source, on sites of all kinds and both schemas."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import ClassVar

import attrs
import pytest

from mlconnector_sdk.cursors import Window
from mlconnector_sdk.testing import FakeClock, FakeSageX3, SourceContract
from tests.contracts import _sagex3_graphql_oracle as oracle
from tests.unit.sources._sagex3_graphql import source_of

SIZES = {"customers": 20, "contacts": 15, "suppliers": 6, "orders": 12, "invoices": 12}


def give_stamps(erp):
    """Rows of old times have no stamp, and are read by full scans alone: here each gets one."""
    for table in ("BPCUSTOMER", "BPSUPPLIER", "CONTACT", "SORDER", "SINVOICEV"):
        for row in erp.table(table).values():
            row["UPDDATTIM"] = row["UPDDATTIM"] or datetime(2021, 5, 3, 7, 11, tzinfo=UTC)


class GraphQLContract(SourceContract):
    """One site for all promises.

    Attributes:
        release: of its schema.
        limits: what it filters and sorts by.
        forms: how it writes values.
        settings: settings of `SageX3`.
    """

    release: ClassVar[str] = "current"
    limits: ClassVar[Mapping[str, bool]] = {}
    forms: ClassVar[Mapping[str, bool]] = {}
    settings: ClassVar[Mapping[str, object]] = {}

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _site(cls):
        with FakeSageX3(**SIZES) as erp:
            setup = erp.graphql.setup
            setup.release = cls.release
            setup.limits = attrs.evolve(setup.limits, **cls.limits)
            setup.forms = attrs.evolve(setup.forms, **cls.forms)
            setup.rules.cap = 7
            give_stamps(erp)
            cls.erp = erp
            yield

    def make_source(self):
        return source_of(self.erp, **self.settings)


class TestInvoices(GraphQLContract):
    pass


class TestSalesOrders(GraphQLContract):
    settings: ClassVar[Mapping[str, object]] = {"orders": "sales_orders", "customer_email": "address"}


class TestInvoicesOf2021(GraphQLContract):
    release: ClassVar[str] = "2021"


class TestSalesOrdersOf2021(GraphQLContract):
    release: ClassVar[str] = "2021"
    settings: ClassVar[Mapping[str, object]] = {"orders": "sales_orders"}


class TestWithoutFilterByStamps(GraphQLContract):
    """Changes are found by the latest first."""

    limits: ClassVar[Mapping[str, bool]] = {"stamp_filter": False}


class TestWithoutAnyOrder(GraphQLContract):
    """Changes are found by reading everything."""

    limits: ClassVar[Mapping[str, bool]] = {"stamp_filter": False, "stamp_order": False}


class TestBareForms(GraphQLContract):
    """Moments have no milliseconds, and empty slots are left out."""

    forms: ClassVar[Mapping[str, bool]] = {"milliseconds": False, "empty_slots": False}


@pytest.mark.skipif(oracle.spec_folder() is None, reason="the vendor contracts are not on this machine")
@pytest.mark.parametrize("release", ["current", "2021"])
@pytest.mark.parametrize("orders", ["invoices", "sales_orders"])
def test_every_exchange_is_one_that_the_vendor_describes(release, orders):
    """Documents, variables and answers of full, incremental and keyed reads fit the vendor's reference."""
    with FakeSageX3(**SIZES, clock=FakeClock()) as erp, source_of(erp, api={"page_size": 5}, orders=orders) as source:
        erp.keep_bodies = True
        erp.graphql.setup.release = release
        list(source.check())
        for stream in source.streams:
            records = [record for page in source.read(stream) for record in page]
            stamps = sorted(one.modified_at for one in records if one.modified_at)
            list(source.read(stream, Window(lower=stamps[len(stamps) // 2])))
            list(source.fetch(stream, [one.key for one in records[:3]]))
        exchanges = list(oracle.exchanges(erp.log))

    for request, status, body in exchanges:
        oracle.check_graphql_exchange(request, status, body)
    assert len(exchanges) > 30
