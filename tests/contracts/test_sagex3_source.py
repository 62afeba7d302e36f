"""The Sage X3 source: the promises of every source, on sites of all kinds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import attrs
import pytest

from mlconnector_sdk.testing import SourceContract
from tests.unit.sources._sagex3 import site, source_of


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
