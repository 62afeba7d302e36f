"""The Acumatica source: the promises of every source, and every request it makes held to the vendor's contract."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import ClassVar

import pytest

from mlconnector_sdk.cursors import Window
from mlconnector_sdk.testing import FakeAcumatica, SourceContract
from tests.contracts import _acumatica_oracle as oracle
from tests.unit.sources._acumatica import VERSIONS, by_cookie, by_token, records_of, source_of

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


class AcumaticaContract(SourceContract):
    """One site for all promises; the clock of the machine, so that `check` finds it in order."""

    version = "24.200.001"
    settings: ClassVar[dict[str, object]] = {}

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _site(cls, request):
        with FakeAcumatica(customers=30, contacts=40, vendors=6, invoices=30, version=cls.version) as erp:
            cls.erp = erp
            yield

    def make_source(self):
        return source_of(self.erp, page_size=7, **self.settings)


class TestAcumatica20(AcumaticaContract):
    version = "20.200.001"


class TestAcumatica22(AcumaticaContract):
    version = "22.200.001"
    settings: ClassVar[dict[str, object]] = {"orders": "SalesInvoice"}


class TestAcumatica23(AcumaticaContract):
    version = "23.200.001"
    settings: ClassVar[dict[str, object]] = {"auth": by_cookie()}


class TestAcumatica24(AcumaticaContract):
    pass


@pytest.mark.skipif(
    oracle.spec_folder() is None, reason="the vendor contracts are not on this machine: set MLCONNECTOR_SPECS"
)
@pytest.mark.parametrize("entity", ["SalesInvoice", "Invoice", "SalesOrder"])
@pytest.mark.parametrize("version", VERSIONS)
def test_every_exchange_fits_the_contract(version, entity):
    """Full scans, windows, fetches, checks, by-key readings and both ways to sign in ask only what the version has."""
    with FakeAcumatica(customers=12, contacts=20, vendors=4, invoices=12, version=version, clock=lambda: NOW) as erp:
        erp.keep_bodies = True
        erp.add_customer("O'HARA & SONS/1", email="o@hara.example")
        erp.put("SalesOrder", {"OrderType": "SO", "OrderNbr": "1", "CustomerID": "O'HARA & SONS/1"})
        for auth in (by_token(), by_cookie()):
            with source_of(erp, auth=auth, orders=entity, page_size=5) as source:
                everything(source)
        erp.cannot_optimize["Customer"] = ["PrimaryContact"]
        with source_of(erp, orders=entity, page_size=5) as source:
            everything(source)

    assert len(erp.log) > 60
    for entry in erp.log:
        request = entry.request
        oracle.check_exchange(
            request.method, request.raw_path, request.body, entry.status, entry.response_body, version
        )


def everything(source):
    """Use every way to ask."""
    list(source.check())
    for stream in source.streams:
        source.present(stream)
        found = records_of(source.read(stream))
        assert found
        list(source.read(stream, Window(lower=NOW - timedelta(days=200))))
        list(source.fetch(stream, [*found, "gone"]))
