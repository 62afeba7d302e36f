"""The Sage 100 source: the promises of every source, and every request to the agent held to the proposed contract."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import ClassVar

import pytest

from mlconnector_sdk.cursors import Window
from mlconnector_sdk.models import Suppression
from mlconnector_sdk.protocols import FlaggingSource, KeyedSource
from mlconnector_sdk.sources.sage100._api import (
    CUSTOMER,
    CUSTOMER_CONTACT,
    INVOICE_HISTORY,
    ORDER_HISTORY,
    SALES_ORDER,
)
from mlconnector_sdk.sources.sage100._stamps import stamp_at, wall_of
from mlconnector_sdk.testing import SourceContract
from tests.contracts import _sage100_oracle as oracle
from tests.unit.sources._sage100 import LEDGER, NO_MAIL, agent_of, records_of, site, source_of

NOON = datetime(2026, 3, 10, 17, tzinfo=UTC)

needs_specs = pytest.mark.skipif(
    oracle.spec_folder() is None, reason="the vendor contracts are not on this machine: set MLCONNECTOR_SPECS"
)


class Sage100Contract(SourceContract):
    """One company for all promises; the clock of the machine, so that `check` finds it in order."""

    orders: ClassVar[str]

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _site(cls, request):
        with site(customers=30, contacts=20, vendors=6, orders=20, invoices=20) as erp:
            cls.erp = erp
            yield

    def make_source(self):
        api = agent_of(self.erp, page_size=7)
        return source_of(self.erp, api=api, orders=self.orders, optout_field=NO_MAIL, gl_accounts=[LEDGER])


class TestSalesOrders(Sage100Contract):
    orders = "sales_orders"


class TestOrderHistory(Sage100Contract):
    orders = "order_history"


class TestInvoices(Sage100Contract):
    orders = "invoices"


def test_the_source_keeps_the_further_protocols():
    """It can flag customers, and listens to which keys are known."""
    with site() as erp, source_of(erp, flag_field=NO_MAIL) as source:
        assert isinstance(source, FlaggingSource)
        assert isinstance(source, KeyedSource)


@pytest.fixture(scope="module")
def exchanges():
    """Everything that is asked of the agent in full scans, windows, fetches, checks and flags."""
    with site(customers=12, contacts=12, vendors=4, orders=8, invoices=8, clock=lambda: NOON) as erp:
        erp.keep_bodies = True
        erp.add_customer("01-A/B & C", email="a@harbor.example", **{LEDGER: erp.add_gl_account("4000-01-00")})
        for orders in ("sales_orders", "order_history", "invoices"):
            with source_of(
                erp, orders=orders, flag_field=NO_MAIL, optout_field=NO_MAIL, gl_accounts=[LEDGER]
            ) as source:
                everything(source)
        return list(erp.log)


def everything(source):
    """Use every way to ask."""
    assert [row for row in source.check() if not row.ok and row.what != "clock"] == []
    for stream in source.streams:
        source.present(stream)
        found = records_of(source.read(stream))
        assert found
        list(source.read(stream, Window(lower=NOON - timedelta(days=200, seconds=1.234))))
        list(source.fetch(stream, [*found, "00-GONE"]))
    gone = Suppression(address="a@harbor.example", reason="unsubscribed", origin="mailchimp", at=NOON)
    source.flag("customers", "01-A/B & C", gone)


def test_every_exchange_fits_the_agents_own_contract(exchanges):
    """Paths, parameters and bodies are those of the document that is published with the library."""
    import yaml

    path = Path(__file__).parents[2] / "docs" / "reference" / "sage100-agent.openapi.yaml"
    contract = yaml.safe_load(path.read_text("utf-8"))
    known = contract["components"]["parameters"]
    seen = set()
    for entry in exchanges:
        template, operation = operation_of(contract, entry)
        allowed = {known[ref["$ref"].rpartition("/")[2]]["name"] for ref in operation.get("parameters", ())}
        seen.add(template)
        assert set(entry.request.query) <= allowed, template
        assert str(entry.status) in operation["responses"], template
        if entry.method == "PATCH":
            assert set(entry.request.json()) == {"expected", "set"}
            assert "idempotency-key" in entry.request.headers

    assert len(exchanges) > 80
    assert len(seen) == 10


def operation_of(contract, entry):
    """The template of a path, and what the contract says of it."""
    segments = entry.request.segments[2:]
    for template, operations in contract["paths"].items():
        parts = template.strip("/").split("/")
        fits = len(parts) == len(segments) and all(
            part.startswith("{") or part == given for part, given in zip(parts, segments, strict=True)
        )
        if fits:
            return template, operations[entry.method.lower()]
    raise AssertionError(f"the contract has no {entry.path}")


@needs_specs
def test_every_exchange_fits_the_proposed_contract(exchanges):
    """Requests are taken, and answers are read, as the proposal has them; what it lacks has the shape of its lists."""
    for entry in exchanges:
        oracle.check_logged(entry)


@needs_specs
def test_the_proposals_samples_are_read():
    """A page of customers as the proposal shows it, through the source."""
    page = json.loads(oracle.sample("agent_customers_page.json"))
    with site(clock=lambda: NOON) as erp:
        erp.fail(path="/customers", status=200, body=page)
        with source_of(erp, optout_field="UDF_DO_NOT_EMAIL") as source:
            found = records_of(source.read("customers"))

    buyer, numeric = found["01-ABF"], found["00-0000042"]
    assert buyer.email == "ap@invented.example;owner@invented.example"
    assert buyer.modified_at == datetime(2025, 3, 4, 21, 30, tzinfo=UTC)
    assert (buyer.status, buyer.opted_out) == ("active", False)
    assert (numeric.status, numeric.email) == ("inactive", "")
    assert numeric.modified_at == datetime(2025, 3, 4, 15, 45, tzinfo=UTC)


@needs_specs
def test_the_proposals_lock_is_understood():
    """An answer that somebody has the record open means that it may work later."""
    from mlconnector_sdk._http import HttpReply
    from mlconnector_sdk.sources.sage100._agent_errors import judged

    body = oracle.sample("agent_error_locked_423.json")
    error = judged(HttpReply(status=423, headers={"retry-after": "15"}, body=body), "PATCH customer")

    assert error is not None
    assert (error.reason, error.retry_after) == ("locked", 15.0)


@needs_specs
@pytest.mark.parametrize("table", [CUSTOMER, CUSTOMER_CONTACT, SALES_ORDER, ORDER_HISTORY, INVOICE_HISTORY])
def test_every_column_that_is_read_is_one_of_the_table(table):
    """Keys, columns of rows and columns of lines are those of the data dictionary."""
    tables = oracle.loaded("tables_fields.json")["tables"]
    columns = {column["name"] for column in tables[table.name]["fields"]}

    assert list(table.key) == tables[table.name]["primary_key"]
    assert set(table.columns) <= columns
    if table.lines:
        assert set(table.line_columns) <= {column["name"] for column in tables[table.lines]["fields"]}


@needs_specs
def test_known_times_are_read():
    """The hours and times that were written down together fit each other to the second."""
    known = json.loads(oracle.sample("time_vectors.json"))
    day = date(2025, 3, 4)

    def read(hours):
        return stamp_at({"DateUpdated": "20250304", "TimeUpdated": hours}, "DateUpdated", "TimeUpdated")

    for pair in known["vectors"]:
        rounded = wall_of(read(pair["in"])) + timedelta(milliseconds=500)
        shown = min(rounded, datetime.combine(day, time(23, 59, 59)))

        assert shown.strftime("%H:%M:%S") == pair["iso"][-8:]
    assert known["sorted_numeric"] == sorted(known["sorted_as_text"], key=read)
