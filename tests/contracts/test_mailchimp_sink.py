"""Every request that the sink makes, held against the vendor's contract."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Collection, Iterator
from datetime import timedelta
from urllib.parse import urlencode

import attrs
import pytest

from mlconnector_sdk.mailchimp import MailchimpSink
from mlconnector_sdk.models import BatchEntry, CampaignReading, MemberWrite, MergeField, PermissionWish
from mlconnector_sdk.retry import RetryPolicy
from mlconnector_sdk.testing.fakes._mailchimp import FakeMailchimp
from tests.contracts._mailchimp_oracle import check_exchange, specs_folder
from tests.unit.mailchimp._writes import STORE, member_write, member_writes, order_write

pytestmark = pytest.mark.skipif(
    specs_folder() is None, reason="MLCONNECTOR_SPECS names no folder with Mailchimp's contract"
)


@pytest.fixture(name="fake")
def _fake() -> Iterator[FakeMailchimp]:
    with FakeMailchimp() as fake:
        fake.keep_bodies = True
        yield fake


@pytest.fixture(name="sink")
def _sink(fake: FakeMailchimp) -> Iterator[MailchimpSink]:
    with MailchimpSink(
        fake.api_key,
        list_id=fake.list_id,
        base_url=fake.base_url,
        store=STORE,
        retry=RetryPolicy.immediate(),
        batch_polling=RetryPolicy.immediate(attempts=50),
    ) as sink:
        yield sink


def _check_log(fake: FakeMailchimp) -> None:
    for entry in fake.log:
        check_exchange(entry.method, entry.request.raw_path, entry.request.body, entry.status, entry.response_body)


def test_reading_and_preparing_keep_the_contract(fake, sink):
    """Checks, preparation and all reads are made of documented requests."""
    wanted = [
        MergeField(tag="ERPID"),
        MergeField(tag="SIZE", type="dropdown", required=True, options={"choices": ["S", "L"]}),
    ]
    assert all(row.ok for row in sink.check(wanted))
    sink.prepare(wanted)
    fake.stores["acme"].is_syncing = True
    sink.prepare(wanted)
    fake.add_member("pat@acme.org")
    sink.member("pat@acme.org")
    pages = [*sink.changed_members(None), *sink.changed_members(sink.present())]
    assert 2 == len(pages)
    assert 1 == len([*sink.all_members(["ERPID"])])
    _check_log(fake)


def test_reading_reports_keeps_the_contract(fake, sink):
    """Campaigns, every part of their reports, histories and batches of activity are made of documented requests."""
    people = [f"p{number}@acme.org" for number in range(12)]
    for address in people:
        fake.add_member(address)
    campaign = fake.send_campaign("Spring")
    fake.open("p0@acme.org", campaign)
    fake.click("p0@acme.org", campaign)
    fake.bounce("p1@acme.org", campaign, hard=True)
    fake.reports.unsubscribe("p2@acme.org", campaign)
    # More than the ten that come without a count.
    for address in people:
        fake.reports.complain(address, campaign)
    reports, since = sink.reports, fake.present() - timedelta(days=1)
    (report,) = reports.campaigns(since)
    assert reports.report(campaign) == report
    found = [reports.opens(report, since), reports.clicks(report), reports.bounces(report), reports.links(report)]
    found += [reports.unsubscribes(report), reports.recipients(report), reports.abuse(report)]
    found += [reports.activity(report, since), reports.member_activity("p0@acme.org", ["open", "click"])]
    assert [1, 1, 1, 1, 1, 12, 12, 3, 2] == [len([*entries]) for entries in found]
    assert 16 == sum(len(page.entries) for page in reports.engagements([CampaignReading(report=report)]))
    _check_log(fake)


def test_batches_of_activity_keep_the_contract(fake):
    """Operations that read activity are such as the contract lets one send by themselves."""
    campaign = fake.send_campaign("Spring", ["pat@acme.org"])
    settings = {"list_id": fake.list_id, "base_url": fake.base_url, "batch_polling": RetryPolicy.immediate(attempts=50)}
    with MailchimpSink(fake.api_key, **settings, activity_batch_from=1) as sink:
        reading = CampaignReading(report=sink.reports.report(campaign), since=fake.present())
        assert [True] == [page.last for page in sink.reports.engagements([reading])]
    (batch,) = fake.batches.values()
    for operation, result in zip(batch.operations, batch.results, strict=True):
        where = f"{operation['path']}?{urlencode(operation['params'])}"
        check_exchange(operation["method"], where, b"", result["status_code"], result["response"].encode())
    _check_log(fake)


def test_writing_members_keeps_the_contract(fake, sink):
    """Bulk and single writes, moves, tags, archiving and every repair are made of documented requests."""
    fake.add_member("old@acme.org")
    fake.add_member("left@acme.org", "archived")
    fake.poison("member3@acme.org", "schema")
    sink.write_members(member_writes(12, fields={"FNAME": "Pat"}, more={"tags": ["ERP"], "language": "en"}))
    sink.write_members(member_writes(5, tags_off=("ERP",), status="unsubscribed", exists=True, only_if_member=True))
    sink.write_members([member_write("new@acme.org", previous_address="old@acme.org", more={"tags": ["ERP"]})])
    sink.write_members([member_write("left@acme.org", status="transactional")])
    sink.write_members([member_write("one@acme.org", status_if_new="pending")])
    results = sink.write_members([member_write("new@acme.org", status="archived", only_if_member=True)])
    assert "updated" == results[0].kind
    _check_log(fake)


def test_interests_permissions_and_tags_keep_the_contract(fake, sink):
    """Names are read, permissions set and tags of a prefix switched off by documented requests."""
    interests = fake.add_interest_category("Trade", ["Retail", "Wholesale"])
    fake.add_marketing_permission("Email")
    fake.add_member("member0@acme.org", tags=["region:West"])
    names = {"interests": ["Trade/Retail"], "permissions": ["Email"]}
    assert all(row.ok for row in sink.check([], **names))
    sink.prepare([], **names)
    more = {"tags": ["region:East"], "interests": {interests["Retail"]: True}}
    wish = PermissionWish(name="Email", enabled=True)
    sink.write_members(member_writes(5, more=more, owned_prefix="region:", permissions=(wish,)))
    sink.write_members([member_write("one@acme.org", more=more, permissions=(wish,))])
    sink.write_members([MemberWrite(record_key="1", address="one@acme.org", body=b"", tags_off=("region:East",))])
    member = fake.members["one@acme.org"]
    assert ({interests["Retail"]: True}, []) == (member.interests, member.tags)
    _check_log(fake)


def test_asking_after_permissions_keeps_the_contract(fake, sink):
    """Where the answer to a bulk call is silent about them, a documented question follows."""
    fake.add_marketing_permission("Email")
    writes = member_writes(4, permissions=(PermissionWish(name="Email", enabled=True),))
    sink.write_members(writes)
    fake.log.clear()
    silent = [{"email_address": write.address, "status": "subscribed"} for write in writes]
    fake.fail_next(200, body={"new_members": [], "updated_members": silent, "errors": []})
    sink.write_members(writes)
    # The first answer is made up.
    del fake.log[0]
    assert 4 == len(fake.requests("GET"))
    _check_log(fake)


def test_writing_orders_keeps_the_contract(fake, sink):
    """Orders, customers, products, variants, lines and the store's flag travel in documented requests."""
    sink.prepare([])
    with sink.loading_history():
        sink.write_orders([order_write(items={"1": "BOLT", "2": "NUT"}), order_write("INV/2")])
    sink.write_orders([order_write(exists=True)])
    retitled = attrs.evolve(order_write().products[0], id="NEW", title="New")
    sink.write_orders([order_write("INV-3", products=(retitled,))])
    sink.write_orders([order_write("INV-4", customer={**order_write().customer, "email_address": "pat@new.org"})])
    result = sink.write_orders([order_write(items={}, body={"financial_status": "refunded"}, exists=True)])[0]
    assert "updated" == result.kind
    _check_log(fake)


def test_managing_webhooks_keeps_the_contract(fake, sink):
    """Webhooks are listed, made, changed, replaced and taken away by documented requests."""
    kept: list[str] = []
    for url in ("https://hooks.acme.org/one", "https://hooks.acme.org/two"):
        sink.webhooks.ensure(url, save_secret=kept.append)
    sink.webhooks.ensure(url, save_secret=kept.append, events=["unsubscribe", "sms_unsubscribe"])
    sink.webhooks.ensure(url, save_secret=kept.append, renew=True)
    fake.fail_next(drop="after", method="POST", path="/webhooks")
    sink.webhooks.ensure("https://hooks.acme.org/three", save_secret=kept.append)
    assert (4, 3) == (len(kept), len(sink.webhooks.list()))
    assert sink.webhooks.remove(url)
    fake.log[:] = [entry for entry in fake.log if entry.status]
    _check_log(fake)


class _Notebook:
    """A journal for as long as the process lives."""

    def __init__(self) -> None:
        self.open: dict[str, BatchEntry] = {}

    def entries(self) -> list[BatchEntry]:
        return list(self.open.values())

    def begin(self, entry: BatchEntry) -> None:
        self.open[entry.id] = entry

    def end(self, entry: BatchEntry, done: Collection[str] = ()) -> None:
        del self.open[entry.id]

    def check(self) -> None:
        """Nobody asks to stop."""


def _results(archive: bytes) -> Iterator[dict[str, object]]:
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        for entry in files:
            content = files.extractfile(entry)
            if content is not None and entry.size:
                yield from json.load(content)


def test_batches_and_every_operation_in_them_keep_the_contract(fake, sink):
    """Batches are handed over and looked at by documented requests, and so is each operation with its own answer."""
    sink.prepare([])
    orders = [order_write(f"INV/{number}", items={"1": f"ITEM {number % 12}"}) for number in range(30)]
    orders.append(order_write("INV/BAD", "nobody@acme.test", items={"1": "ITEM 1"}))
    notebook = _Notebook()

    results = sink.write_orders(orders, journal=notebook)

    assert ["created"] * 30 + ["dead"] == [result.kind for result in results]
    assert 31 == len(sink.recover_orders(notebook)) + 1
    _check_log(fake)
    handed = [op for entry in fake.requests("POST", "/batches") for op in entry.request.json()["operations"]]
    operations = {operation["operation_id"]: operation for operation in handed}
    archives = [entry.response_body for entry in fake.requests("GET", "/batch-results/")]
    judged = 0
    for result in (result for archive in archives for result in _results(archive)):
        asked = operations[result["operation_id"]]
        body, answer = asked["body"].encode(), result["response"].encode()
        check_exchange(asked["method"], asked["path"], body, result["status_code"], answer)
        judged += 1
    assert judged > len(operations) == 43


def test_forgetting_keeps_the_contract(fake, sink):
    """A person's orders, customer and member are found and deleted by documented requests."""
    sink.prepare([])
    sink.write_orders([order_write(), order_write("INV/2")])
    fake.add_member("pat@acme.org")
    fake.add_member("new@acme.org", "pending")
    sink.write_members([member_write("new@acme.org", status="archived", only_if_member=True)])
    assert (True, 1, 2) == attrs.astuple(sink.forget("pat@acme.org"))
    _check_log(fake)
