"""Sage 100 through its web services: the promises of every source, each exchange held to the contract, samples."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mlconnector_sdk import MailchimpSink, Store, SyncEngine, SyncPolicy
from mlconnector_sdk._http import HttpReply
from mlconnector_sdk.errors import AuthenticationError, RecordNotFoundError, RecordRejectedError, ServerFaultError
from mlconnector_sdk.retry import RetryPolicy
from mlconnector_sdk.sources.sage100 import Sage100, Sage100Soap
from mlconnector_sdk.sources.sage100._soap_faults import Verdicts
from mlconnector_sdk.sources.sage100._soap_rows import row_of
from mlconnector_sdk.state import MemoryStateStore
from mlconnector_sdk.testing import FakeClock, FakeMailchimp, FakeSage100, FakeServer, Reply, SourceContract
from tests.contracts import _sage100_oracle as oracle
from tests.unit.sources._sage100_soap import NUMBERED, UDFS, calls, source_of

READS = {"GetContractInformation", "GetCustomer", "GetCustomerContact", "GetSalesOrder"}

needs_specs = pytest.mark.skipif(
    oracle.spec_folder() is None, reason="the vendor contracts are not on this machine: set MLCONNECTOR_SPECS"
)


# -- the promises of every source -----------------------------------------------------------------------------------


class SoapContract(SourceContract):
    """A small company for all promises; the clock of the machine, so that `check` finds it in order."""

    streams = ("customers", "contacts", "orders")
    setup: dict[str, object] = {}  # noqa: RUF012 - read only

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _site(cls, request):
        with FakeSage100(customers=12, contacts=8, orders=10, udfs=UDFS) as erp:
            for name, value in cls.setup.items():
                setattr(erp.setup, name, value)
            cls.erp = erp
            yield

    def make_source(self):
        return source_of(self.erp, own={"optout_field": "UDF_DO_NOT_EMAIL"})


class TestSoap(SoapContract):
    pass


class TestSoapFromInside(SoapContract):
    """A server that knows itself by another name and leaves blanks out."""

    setup = {"internal_host": "http://workstation.workgroup.invalid", "blanks": "absent"}  # noqa: RUF012 - read only


# -- a whole pipeline -----------------------------------------------------------------------------------------------


class Site:
    """A pipeline from a fake Sage 100 to a fake Mailchimp, with a fresh engine for each run, as a scheduler has it."""

    def __init__(self, erp, mailchimp, clock, **settings) -> None:
        self.erp, self.mailchimp, self.clock = erp, mailchimp, clock
        self.state = MemoryStateStore()
        self.settings = {**NUMBERED, **settings}

    def run(self, **options):
        """One poll; the report."""
        self.clock.advance(minutes=30)
        with self.engine() as engine:
            return engine.run(**options)

    def engine(self):
        """The pipeline as another process would build it."""
        api = Sage100Soap(self.erp.wsdl_url, username="mcsync", password="secret", **self.settings)
        field = "UDF_DO_NOT_EMAIL"
        source = Sage100(
            company="ABC", api=api, timezone=self.erp.site.timezone, optout_field=field, flag_field=field,
            retry=RetryPolicy.immediate(),
        )  # fmt: skip
        store = Store(id="abc", name="ABC", currency_code="USD")
        sink = MailchimpSink(
            self.mailchimp.api_key, list_id=self.mailchimp.list_id, base_url=self.mailchimp.base_url, store=store
        )
        policy = SyncPolicy(on_unsubscribe="flag_source", most_leaving=1.0)
        return SyncEngine(
            source, sink, state=self.state, name="abc", clock=self.clock, policy=policy, retry=RetryPolicy.immediate()
        )


@pytest.fixture(name="site")
def _site():
    clock = FakeClock(datetime(2026, 3, 2, 15, tzinfo=UTC))
    with FakeSage100(clock=clock, udfs=UDFS) as erp, FakeMailchimp(clock=clock) as mailchimp:
        yield Site(erp, mailchimp, clock)


def test_a_pipelines_life_calls_nothing_that_creates_or_numbers(site):
    """Loads, changes, strangers' orders, deletions, an unsubscribe told back: four operations read and one writes."""
    erp, mailchimp = site.erp, site.mailchimp
    keys = [erp.add_customer(email=f"c{number}@harbor-pumps.com", name=f"Customer {number}") for number in range(1, 6)]
    erp.add_contact(keys[0], "A. BUYER", email="ann@harbor-pumps.com", primary=True)
    erp.add_order(keys[1], [("PUMP-1", "Pump", 2, 50)])
    first = site.run()
    assert (5, 1, 1) == tuple(first.streams[name].created for name in ("customers", "contacts", "orders"))

    mailchimp.log.clear()
    again = site.run()
    assert again.ok
    assert not [entry for entry in mailchimp.writes if entry.is_write]

    erp.edit("AR_Customer", keys[2], CustomerName="Renamed")
    erp.add_customer("00-WALKIN", email="walk-in@harbor-pumps.com")
    erp.add_order("00-WALKIN", [("PUMP-1", "Pump", 1, 50)])
    erp.add_customer(email="c6@harbor-pumps.com")
    mailchimp.unsubscribe("c4@harbor-pumps.com")
    report = site.run()
    assert report.ok, report
    assert {"walk-in@harbor-pumps.com", "c6@harbor-pumps.com"} <= set(mailchimp.members)
    assert "Y" == erp.table("AR_Customer").get(erp.key_of("AR_Customer", keys[3]))["UDF_DO_NOT_EMAIL"]

    erp.delete("AR_Customer", keys[4])
    assert site.run(full=True).ok
    assert mailchimp.members["c5@harbor-pumps.com"].status != "subscribed"

    assert READS | {"UpdateCustomer"} == set(calls(erp.log))
    assert 1 == calls(erp.log)["UpdateCustomer"]
    assert [] == erp.setup.numbers_used


def test_what_was_set_aside_is_replayed_once_it_can_be_read(site):
    """A record on which the service failed is a dead letter; replayed, it is asked for anew."""
    site.settings |= {"parallel": 1, "keys": {"customers": [site.erp.add_customer("1", email="c1@harbor-pumps.com")]}}
    for _ in range(3):
        site.erp.soap_fault(nth=2)
    report = site.run(streams=["customers"])
    assert {"exception_occurred": 1} == report.streams["customers"].reasons

    with site.engine() as engine:
        assert 1 == engine.replay().streams["customers"].created
    assert "c1@harbor-pumps.com" in site.mailchimp.members


# -- exchanges and samples ------------------------------------------------------------------------------------------


@needs_specs
def test_every_exchange_keeps_the_contract(site):
    """Whatever a pipeline sends and gets is as the contract says."""
    erp = site.erp
    erp.keep_bodies = True
    for number in range(1, 4):
        erp.add_customer(email=f"c{number}@harbor-pumps.com")
    erp.add_contact("00-0000001", "A. BUYER", email="ann@harbor-pumps.com", primary=True)
    erp.add_order("00-0000001", [("PUMP-1", "Pump", 2, 50)])
    site.run()
    site.mailchimp.unsubscribe("c2@harbor-pumps.com")
    site.run()

    assert "UpdateCustomer" in calls(erp.log)
    for entry in erp.log:
        oracle.check_logged(entry)


@needs_specs
def test_a_request_is_as_the_sample(site):
    """The same elements with the same values in the same order as the recorded request."""
    sample = oracle.sample("get_customer_request.xml").replace(b"not-a-real-password", b"secret")
    site.erp.add_customer("01-ABF")
    list(source_of(site.erp).fetch("customers", ["01-ABF"]))
    sent = next(entry.request.body for entry in site.erp.log if b"GetCustomer>" in entry.request.body)

    assert elements(sample) == elements(sent)


def elements(document: bytes):
    """Names and texts in document order."""
    return [(element.tag, (element.text or "").strip()) for element in ET.fromstring(document).iter()]


class Served(FakeServer):
    """The reconstructed description at an address of its own, and sample answers behind it."""

    def __init__(self, wsdl: bytes, answers: dict[str, bytes]) -> None:
        super().__init__()
        self.wsdl, self.answers = wsdl, answers

    def handle(self, request):
        headers = {"Content-Type": "text/xml; charset=utf-8"}
        if request.method == "GET":
            return Reply(200, self.wsdl, headers)
        return Reply(200, self.answers[request.headers["soapaction"].strip('"').rpartition("/")[2]], headers)


INFORMATION = b"""<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>
<GetContractInformationResponse xmlns="http://mas90.sage.com/ws"><GetContractInformationResult>
<AssemblyVersion>5.0</AssemblyVersion><ContractVersion>5</ContractVersion>
<NullDateTime>0001-01-01T00:00:00</NullDateTime></GetContractInformationResult></GetContractInformationResponse>
</s:Body></s:Envelope>"""


@needs_specs
def test_a_sample_answer_is_read_as_the_table_has_it():
    """Through another description than our fake's, the recorded customer comes as a record with its own column."""
    wsdl = Path(oracle.wsdl_path()).read_bytes()
    answers = {"GetContractInformation": INFORMATION, "GetCustomer": oracle.sample("get_customer_response.xml")}
    with Served(wsdl, answers) as served:
        api = Sage100Soap(f"{served.url}/x/MasBasicWsdl.svc?wsdl", username="mcsync", password="secret")
        with Sage100(company="ABC", api=api, timezone="UTC", optout_field="UDF_DO_NOT_EMAIL") as source:
            [page] = source.fetch("customers", ["01-ABF"])
        [record] = page

    assert datetime(2025, 3, 4, 15, 30, tzinfo=UTC) == record.modified_at
    assert ("ap@invented.example;owner@invented.example", False) == (record.email, record.opted_out)
    shown = {"UDF_DO_NOT_EMAIL": "N", "DateEstablished": "20190101", "DateLastPayment": "", "TimeUpdated": "15.5"}
    assert shown.items() <= record.raw.items()


@needs_specs
@pytest.mark.parametrize(
    ("sample", "kind", "reason"),
    [
        ("fault_not_found.xml", RecordNotFoundError, "not_found"),
        ("fault_already_exists.xml", RecordRejectedError, "already_exists"),
        ("fault_field_not_on_file.xml", RecordRejectedError, "not_on_file"),
        ("fault_field_too_long.xml", RecordRejectedError, "too_long"),
        ("fault_logon.xml", AuthenticationError, "bad_credentials"),
        ("fault_unexpected.xml", ServerFaultError, "exception_occurred"),
    ],
)
def test_sample_faults_mean_what_they_say(sample, kind, reason):
    """Each recorded fault becomes the error that says what to do next."""
    reply = HttpReply(status=500, headers={"content-type": "text/xml"}, body=oracle.sample(sample))
    error = Verdicts(company="ABC", lock_patterns=("in use", "locked", "busy")).judge(reply, "GetCustomer")

    assert (kind, reason) == (type(error), error.reason)


@needs_specs
@pytest.mark.parametrize(
    ("contract", "table"),
    [
        ("Customer", "AR_Customer"),
        ("CustomerContact", "AR_CustomerContact"),
        ("SalesOrder", "SO_SalesOrderHeader"),
        ("SalesOrderLine", "SO_SalesOrderDetail"),
    ],
)
def test_members_come_under_the_names_of_columns(contract, table):
    """Whatever a contract holds stands in its row under the name the table has for it."""
    members = [member["name"] for member in oracle.loaded("ebws_contracts.json")["contracts"][contract]]
    columns = {field["name"] for field in oracle.loaded("tables_fields.json")["tables"][table]["fields"]}
    row = row_of(dict.fromkeys(members), None)

    # Text of a memo of its own, and what belongs to the header alone.
    assert set(row) - columns <= {"Lines", "ExtDescriptionText", "JobNo"}


def test_the_window_of_a_run_steps_back_from_the_servers_clock(site):
    """A change that the server stamps right before the poll is found by the next one."""
    erp = site.erp
    key = erp.add_customer("1", email="c1@harbor-pumps.com")
    site.run()
    erp.edit("AR_Customer", key, CustomerName="Renamed")
    site.clock.advance(seconds=1)

    assert 1 == site.run(streams=["customers"]).streams["customers"].updated
    assert site.state.mark("abc", "customers").value <= site.clock() + timedelta(seconds=1)
