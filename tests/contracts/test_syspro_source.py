"""The SYSPRO source: the promises of every source, each exchange held to the vendor's contract, recorded traffic."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from datetime import UTC, date, datetime, timedelta
from io import BytesIO
from typing import ClassVar

import pytest
from lxml import etree
from zeep import Client, Settings
from zeep.transports import Transport

from mlconnector_sdk.cursors import Window
from mlconnector_sdk.errors import AuthenticationError, ContractError
from mlconnector_sdk.sources._xml import tree_in
from mlconnector_sdk.sources.syspro import ContactManagement, _enet as enet
from mlconnector_sdk.sources.syspro._documents import DocumentReader
from mlconnector_sdk.sources.syspro._soap import _SERVICES, wsdl_of
from mlconnector_sdk.sources.syspro._tables import AR_CUSTOMER, INV_MASTER, Condition, Query, Table
from mlconnector_sdk.testing import FakeSyspro, SourceContract
from tests.contracts import _syspro_oracle as oracle
from tests.unit.sources._syspro import APIS, api_of, contacts_of, read, source_of

NOW = datetime(2026, 3, 10, 20, tzinfo=UTC)

needs_specs = pytest.mark.skipif(
    oracle.spec_folder() is None, reason="the vendor contracts are not on this machine: set MLCONNECTOR_SPECS"
)


# -- the promises of every source -----------------------------------------------------------------------------------


class SysproContract(SourceContract):
    """One company for all promises; the clock of the machine, so that `check` finds it in order."""

    api = "odata"
    delta: str | None = None
    site: ClassVar[dict[str, object]] = {}
    settings: ClassVar[dict[str, object]] = {}

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _site(cls, request):
        with FakeSyspro(customers=30, contacts=40, suppliers=6, invoices=30, orders=30, **cls.site) as erp:
            cls.erp = erp
            yield

    def make_source(self):
        settings = {"contacts": contacts_of(self.erp, self.api), "page_size": 7, **self.settings}
        every = dict.fromkeys(("customers", "suppliers", "orders"), self.delta)
        api = api_of(self.erp, self.api, delta_column=every if self.delta else None)
        return source_of(self.erp, api=api, **settings)


class TestOData(SysproContract):
    pass


class TestODataWithChangeColumn(SysproContract):
    delta = "ChangedOn"
    site: ClassVar[dict[str, object]] = {"delta_column": "ChangedOn"}


class TestODataWithCounter(SysproContract):
    delta = "ChangedOn"
    site: ClassVar[dict[str, object]] = {"delta_column": "ChangedOn", "delta_type": "counter"}
    settings: ClassVar[dict[str, object]] = {"overlap": 100}


class TestODataSalesOrders(SysproContract):
    settings: ClassVar[dict[str, object]] = {"orders": "sales_orders", "multiple_addresses": True}


class TestODataWithCappedPages(SysproContract):
    site: ClassVar[dict[str, object]] = {"page_cap": 3}


class TestENet(SysproContract):
    api = "enet"


class TestENetWithChangeColumn(SysproContract):
    api = "enet"
    delta = "DateChanged"
    site: ClassVar[dict[str, object]] = {"delta_column": "DateChanged", "delta_type": "day"}


class TestENetSalesOrders(SysproContract):
    api = "enet"
    settings: ClassVar[dict[str, object]] = {"orders": "sales_orders", "multiple_addresses": True}


class TestENetSoap(SysproContract):
    api = "soap"


# -- the vendor's contract ------------------------------------------------------------------------------------------


@needs_specs
@pytest.mark.parametrize("orders", ["invoices", "sales_orders"])
@pytest.mark.parametrize("api", APIS)
def test_every_exchange_fits_the_contract(api, orders):
    """Full scans, windows, fetches and checks ask only what is known of SYSPRO, and end every session."""
    with FakeSyspro(customers=12, contacts=12, suppliers=4, invoices=12, orders=12, clock=lambda: NOW) as erp:
        erp.keep_bodies = True
        customer = erp.add_customer("O'HARA & <Ü>", name="Hara", email="o@hara.example")
        erp.add_invoice(customer, [("B100", "Bike", 1, 10)] * 9)
        delta = {"customers": "DateCustAdded", "orders": "InvoiceDate" if orders == "invoices" else "OrderDate"}
        door = api_of(erp, api, delta_column=delta)
        with source_of(erp, api=door, contacts=contacts_of(erp, api), orders=orders, page_size=5) as source:
            everything(source)
        if api != "odata":
            with source_of(erp, api, contacts=ContactManagement()) as source:
                assert read(source, "contacts")
        assert (erp.open_sessions, erp.logons) == (0, erp.logoffs)
        assert erp.writes == []

    assert len(erp.log) > 40
    for entry in erp.log:
        request = entry.request
        action = request.headers.get("soapaction", "")
        if not request.path.endswith("/Contacts"):
            oracle.check_exchange(
                request.method, request.raw_path, request.body, entry.status, entry.response_body, action
            )


def everything(source):
    """Use every way to ask."""
    list(source.check())
    for stream in source.streams:
        source.present(stream)
        found = read(source, stream)
        assert found
        list(source.read(stream, Window(lower=date(2025, 6, 1))))
        list(source.fetch(stream, [*found, "gone"]))


@needs_specs
@pytest.mark.parametrize(("service", "name"), [("utilities", "Utilities"), ("query", "Query")])
def test_our_description_of_a_service_makes_the_vendors_envelopes(service, name):
    """Envelope and headers of every operation we call are those that the vendor's own description makes."""
    namespace, binding = f"http://www.syspro.com/ns/{service}/", f"{service}classSoap"
    ours = described(wsdl_of(namespace, binding, _SERVICES[service]))
    theirs = described((oracle.spec_folder() / "wsdl" / f"{name}.asmx.wsdl").read_bytes())
    place = f"{{{namespace}}}{binding}"
    values = {"LanguageCode": "AUTO", "LogLevel": "ldNoDebug", "EncoreInstance": "EncoreInstance_0"}

    for operation, parameters in _SERVICES[service].items():
        sent = {one: values.get(one, "<Query>é</Query>") for one in parameters}
        made = [message_of(client, place, operation, sent) for client in (ours, theirs)]
        assert made[0] == made[1]


def described(document):
    """A client made of a description alone."""
    transport = Transport()
    transport.session.close()
    return Client(BytesIO(document), transport=transport, settings=Settings(forbid_external=True))


def message_of(client, place, operation, sent):
    """Envelope and headers of a call that is not made."""
    service = client.create_service(place, "http://erp.example/")
    envelope, headers = service._binding._create(operation, (), sent, client=client, options=service._binding_options)
    return etree.tostring(envelope, method="c14n"), {name.lower(): value for name, value in headers.items()}


# -- recorded traffic -----------------------------------------------------------------------------------------------


def answers(recording):
    """The bodies of a recording as they came."""
    return [one["response"]["body"]["string"].encode() for one in oracle.recorded(recording)]


@needs_specs
@pytest.mark.parametrize(
    "recording", ["test_logon", "test_query_query", "test_query_fetch", "test_successful_logoff", "test_invsws_errors"]
)
def test_a_recorded_logon_gives_its_session(recording):
    """Every recorded session id is read, without its two blanks."""
    assert enet.session_id(answers(recording)[0]) == answers(recording)[0].decode().rstrip()
    assert len(enet.session_id(answers(recording)[0])) == 34


@needs_specs
def test_recorded_rows_are_read():
    """The recorded answer of COMFND has its one row."""
    query = Query(table=INV_MASTER, rows=5)

    assert enet.found_rows(query, answers("test_query_query")[1]) == [{"StockCode": "02"}]


@needs_specs
def test_recorded_refusals_are_told_apart():
    """A wrong password is final; a damaged session id asks for a new session; a business error names its number."""
    wrong = enet.error_text(answers("test_logon_error")[0])
    damaged = enet.error_text(answers("test_logoff_error")[0])

    assert isinstance(enet.logon_error(wrong, seat_wait=0), AuthenticationError)
    assert isinstance(enet.query_error(damaged, "Logoff"), enet.DeadSessionError)
    assert enet.error_text(answers("test_successful_logoff")[1]) is None
    with pytest.raises(ContractError, match="240004"):
        enet.found_rows(Query(table=AR_CUSTOMER, rows=1), answers("test_invsws_errors")[1])


@needs_specs
def test_a_recorded_whole_row_is_read():
    """Every column of a fetched row comes, numbers and empty dates as they were written."""
    body = answers("test_query_fetch")[1]
    [tree] = tree_in(body).values()

    assert ("02", "0000-00-00", "2005-08-26") == (tree["StockCode"], tree["SupercessionDate"], tree["DateStkAdded"])
    assert len(tree) > 100


@needs_specs
def test_the_sample_of_customers_becomes_the_expected_records():
    """Two customers in the true shape: names, addresses, statuses and days."""
    query = Query(table=AR_CUSTOMER, rows=500)
    rows = enet.found_rows(query, oracle.sample("comfnd_arcustomer_response.xml"))
    with FakeSyspro() as erp, source_of(erp) as source:
        one, other = (source.parse("customers", row) for row in rows)

    assert ("000000000000413", "Harbour Bikes Ltd", "jane@harbourbikes.example") == (one.key, one.name, one.email)
    assert ("Jane", "Fielding", date(2024, 5, 30)) == (one.first_name, one.last_name, one.last_activity)
    assert ("North & Sons", "", "on_hold", None) == (other.name, other.email, other.status, other.last_activity)
    assert enet.found_rows(query, oracle.sample("comfnd_empty_response.xml")) == []


@needs_specs
@pytest.mark.parametrize(
    ("sample", "reason"),
    [
        ("any_call_dead_session.txt", "session_dead"),
        ("any_call_unknown_business_object.txt", "not_licensed"),
    ],
)
def test_sample_refusals_are_told_apart(sample, reason):
    """The two texts that any call may be answered with mean what they mean."""
    text = enet.error_text(oracle.sample(sample))

    assert enet.query_error(text, "COMFND ArCustomer").reason == reason


@needs_specs
def test_our_question_is_the_sample_question():
    """The question for customers behind a key has the elements of the known one, in its order."""
    sample = ET.fromstring(oracle.sample("comfnd_arcustomer_request.xml"))
    names = [column.text for column in sample.findall("Columns/Column")]
    table = Table(name="ArCustomer", key=("Customer",), needed=tuple(names[1:]))
    ours = ET.fromstring(
        enet.find_request(Query(table=table, conditions=(Condition("Customer", "gt", "000000000000412"),), rows=500))
    )

    assert [part.tag for part in ours] == [part.tag for part in sample]
    assert [column.text for column in ours.findall("Columns/Column")] == names
    assert ours.findtext("Where/Expression/Value") == sample.findtext("Where/Expression/Value")


@needs_specs
def test_the_sample_order_comes_to_the_value_that_syspro_says():
    """A line less its discounts, plus freight, is what the business object itself works out."""
    [tree] = tree_in(oracle.sample("sorqry_response.xml")).values()
    lines = tree.pop("SalesOrderLine")
    goods, freight = lines["Merchandise"], lines["Freight"]
    row = {**tree, "Lines": [{**goods, "LineType": "1"}, {**freight, "LineType": "4"}]}
    with FakeSyspro() as erp, source_of(erp, orders="sales_orders") as source:
        order = DocumentReader(parties=source._parties).sales_order(row)

    assert goods["OrderLineValue"] == str(order.lines[0].amount)
    assert ("482.50", "7.50") == (str(order.total), str(order.shipping))


def test_the_present_stays_behind_the_server():
    """A date column's present is the server's own day in its own zone; a time's stays behind the server's clock."""
    late = datetime(2026, 3, 10, 23, 30, tzinfo=UTC)
    with FakeSyspro(customers=2, clock=lambda: late, delta_column="ChangedOn") as erp:
        delta = {"customers": "ChangedOn", "orders": "InvoiceDate"}
        with source_of(erp, api=api_of(erp, "odata", delta_column=delta), timezone="Europe/Paris") as source:
            presents = [source.present(stream) for stream in ("customers", "suppliers", "orders")]

    assert [late - timedelta(minutes=2), None, date(2026, 3, 11)] == presents
