"""What the engine promises whatever flows through it."""

from __future__ import annotations

import logging
import pickle
import threading
from datetime import timedelta

import pytest

from mlconnector_sdk import Acumatica, MemoryStateStore, RetryPolicy, SQLiteStateStore, SyncEngine, SyncPolicy
from mlconnector_sdk.auth import CookieLogin
from mlconnector_sdk.config import load_config
from mlconnector_sdk.errors import (
    AuthenticationError,
    ConfigurationError,
    LeaseHeldError,
    LeaseLostError,
    ServerFaultError,
    TransientError,
    UnavailableError,
)
from mlconnector_sdk.events import PageCommitted, RecordSetAside, RunFinished, RunStarted, Waiting
from tests.scenarios._worlds import World


def filled(world: World, count: int = 120) -> list[str]:
    """That many customers, with addresses `c0@…`, `c1@…`."""
    return [world.erp.add_customer(f"c{number}@harbor-pumps.com", name=f"No {number}") for number in range(count)]


# Numbers, events, plans


def test_a_plan_foretells_the_run_and_writes_nothing(world):
    """A plan counts what the run then does, and leaves audience, store and state untouched."""
    customer = world.erp.add_customer("buyer@harbor-pumps.com")
    world.erp.add_customer("buyer@harbor-pumps.com")
    world.erp.add_customer("broken")
    world.erp.add_order(customer)
    world.clock.advance(hours=1)

    plan = world.engine().plan()

    assert world.writes == []
    assert world.state.mark("acme", "customers") is None
    report = world.run(later=0)
    assert [s.counts for s in report.streams.values()] == [s.counts for s in plan.streams.values()]
    assert {("customers", "created"), ("customers", "dead"), ("orders", "created")} <= {
        (change.stream, change.outcome) for change in plan.changes
    }


def test_events_tell_what_the_report_tells(world):
    """Events carry the same counts as the report, name every record set aside, and hold no addresses."""
    filled(world, 5)
    bad = world.erp.add_customer("broken")

    report = world.run()

    started, *_, finished = world.events
    assert isinstance(started, RunStarted)
    assert isinstance(finished, RunFinished)
    assert not finished.ok
    assert [("customers", bad)] == [(e.stream, e.key) for e in world.events if isinstance(e, RecordSetAside)]
    last = [e for e in world.events if isinstance(e, PageCommitted) and e.stream == "customers"][-1]
    assert report.streams["customers"].counts == dict(last.counts)
    assert "harbor-pumps.com" not in repr(world.events)


def test_a_listener_that_fails_costs_nothing(world, caplog):
    """An exception in `on_event` is logged and the run goes on."""
    filled(world, 3)

    def listener(event) -> None:
        raise RuntimeError("listener is broken")

    with caplog.at_level(logging.CRITICAL, logger="mlconnector_sdk.sync"):
        report = world.run(on_event=listener)

    assert report.streams["customers"].created == 3


def test_requests_are_counted_per_system(world):
    """The report says how many requests each system got, and those are the requests it really got."""
    filled(world, 3)
    world.clock.advance(hours=1)
    before = len(world.mailchimp.log)

    report = world.run()

    assert report.requests["mailchimp"] == len(world.mailchimp.log) - before
    assert report.requests["acumatica"] > 0


def test_everything_shows_itself_in_a_notebook(world):
    """Reports, plans, checks, pages and dead letters show escaped HTML tables and one-line reprs."""
    world.erp.add_customer("broken <b>", name="<script>")
    engine = world.engine()
    report = engine.run()
    with world.erp.source() as source:
        [page] = source.read("customers")

    for shown in (report, engine.plan(), engine.check(), page, engine.dead_letters()):
        assert "<table>" in shown._repr_html_()
        assert "<script>" not in shown._repr_html_()
        assert "\n" not in repr(shown)
    assert {"stream", "read", "created"} <= set(report.to_rows()[0])


# Two runs, crashes, outages


def test_two_runs_of_one_pipeline_never_overlap(world):
    """While one run holds the lease another one is refused, and told who holds it until when."""
    filled(world, 20)
    entered, leave = threading.Event(), threading.Event()

    def wait(request) -> None:
        if request.method == "POST" and request.path.endswith("/lists/a1b2c3d4e5"):
            entered.set()
            leave.wait(10)

    world.mailchimp.before_each.append(wait)
    first = world.engine()
    thread = threading.Thread(target=first.run)
    thread.start()
    entered.wait(10)
    with pytest.raises(LeaseHeldError, match=r"until|expires"):
        world.engine().run()
    leave.set()
    thread.join()

    assert len(world.mailchimp.members) == 20


def test_a_run_that_was_overtaken_commits_nothing_more(world):
    """A worker whose lease was taken over cannot move the mark."""
    filled(world, 20)

    def overtake(request) -> None:
        if request.method == "POST" and request.path.endswith("/lists/a1b2c3d4e5"):
            world.state.acquire(
                "acme", "somebody else", now=world.clock() + timedelta(days=1), duration=timedelta(minutes=1)
            )

    world.mailchimp.before_each.append(overtake)

    with pytest.raises(LeaseLostError):
        world.run(streams=["customers"])

    assert world.state.mark("acme", "customers") is None
    assert world.state.links("acme", "customers", ["C000001"]) == {}


@pytest.mark.parametrize("drop", ["before", "after"])
def test_a_run_that_broke_is_completed_by_the_next(world, drop):
    """A sink that vanishes in the middle ends the run; the next one ends where an undisturbed one would have."""
    filled(world, 1200)
    world.mailchimp.fail(drop=drop, method="POST", path="/lists/a1b2c3d4e5", nth=4)
    once = RetryPolicy(attempts=1)
    with pytest.raises(UnavailableError) as caught:
        world.run(streams=["customers"], sink=world.sink(retry=once))
    assert caught.value.report.streams["customers"].error
    world.mailchimp.faults.clear()

    report = world.run(streams=["customers"])

    assert report.ok, str(report)
    assert len(world.mailchimp.members) == 1200
    assert world.run(streams=["customers"], full=True).streams["customers"].unchanged == 1200


def test_an_outage_stops_the_run_instead_of_setting_everything_aside(world):
    """When every record fails with a server fault the run stops; nothing becomes a dead letter."""
    world.run(streams=["customers"])
    filled(world, 60)
    for method in ("POST", "PUT", "PATCH"):
        world.mailchimp.fail(
            status=500, body={"title": "Internal Server Error", "status": 500}, method=method, path="/lists/a1b2c3d4e5"
        )

    with pytest.raises(TransientError):
        world.run(streams=["customers"], policy=SyncPolicy(max_consecutive_faults=5))

    assert list(world.state.dead_letters("acme")) == []


def test_stop_ends_at_a_checkpoint_and_the_next_run_goes_on(world):
    """`stop()` ends a run between batches; what was loaded stays, the mark does not move, the next run completes."""
    filled(world, 2500)
    engine = world.engine(on_event=lambda event: engine.stop() if isinstance(event, PageCommitted) else None)

    report = engine.run(["customers"])

    assert report.stopped
    assert not report.ok
    assert 0 < len(world.mailchimp.members) < 2500
    assert world.state.mark("acme", "customers") is None
    assert world.run(streams=["customers"]).ok
    assert len(world.mailchimp.members) == 2500


def test_one_stream_that_cannot_be_read_does_not_stop_the_others(world):
    """Where the user lacks the right to one form, that stream is reported and the others are loaded."""
    world.erp.add_customer("office@harbor-pumps.com")
    world.erp.fake.forbid("Vendor")

    report = world.run()

    assert not report.ok
    assert "AP303000" in report.streams["suppliers"].error
    assert report.streams["customers"].created == 1


def test_rate_limits_are_waited_out_and_announced(world):
    """A 429 pauses the run and is announced; nothing is lost."""
    filled(world, 3)
    world.mailchimp.fail_next(429, times=2, method="POST", path="/lists/a1b2c3d4e5")

    report = world.run(streams=["customers"])

    assert report.ok
    assert {"mailchimp"} == {event.system for event in world.events if isinstance(event, Waiting)}


def test_the_sink_never_gets_more_calls_at_once_than_configured(world):
    """However many batches are under way, the account sees at most the configured number of calls."""
    filled(world, 4000)
    world.mailchimp.latency = 0.02

    world.run(streams=["customers"], sink=world.sink(concurrency=3))

    assert world.mailchimp.max_in_flight <= 3


# Checks and configuration


def test_a_check_names_every_trouble_with_its_cure(world):
    """Wrong addresses, versions, passwords, keys and audiences are each one line with a cure, and no exception."""
    elsewhere = world.erp.fake.base_url.replace("/Acme", "/Nowhere")
    cases = {
        "password": {"source": _source(world, password="wrong")},
        "tenant": {"source": _source(world, tenant="Nobody")},
        "version": {"source": world.erp.source(version="21.200.001")},
        "site folder": {"source": _source(world, url=elsewhere)},
        "host": {"source": _source(world, url="https://no-such-host.invalid/Acme")},
        "key": {"sink": world.sink(key="ffffffffffffffffffffffffffffffff-us6")},
        "data centre": {"sink": world.sink(key=world.mailchimp.api_key.replace("us6", "us7"))},
        "data centre that is none": {"sink": world.sink(base_url="https://us99.invalid/3.0")},
        "audience": {"sink": world.sink(list_id="nosuchlist")},
    }

    for name, parts in cases.items():
        with world.engine(**parts) as engine:
            checks = engine.check()
        troubles = [str(row) for row in checks if not row.ok]

        assert troubles, name
        assert not checks.ok
        assert all("->" in trouble and "\n" not in trouble and "Traceback" not in trouble for trouble in troubles), (
            troubles
        )
    with world.engine() as engine:
        assert engine.check().ok, str(engine.check())


def _source(world: World, *, url: str | None = None, **login: str) -> Acumatica:
    auth = CookieLogin(**{"username": "sync", "password": "correct horse", "tenant": "Acme", **login})
    return Acumatica(url or world.erp.fake.base_url, auth=auth, retry=RetryPolicy.immediate())


def test_wrong_credentials_are_tried_once(world):
    """A refused password ends the run after one sign-in, because the ERP locks accounts."""
    with pytest.raises(AuthenticationError):
        world.run(source=_source(world, password="wrong"))

    assert len(world.erp.fake.requests("POST", "/entity/auth/login")) == 1


CONFIG = """
name = "acme"

[source]
system = "acumatica"
url = "{erp}"
auth = {{ kind = "cookie", username = "sync", password = "env:ERP_PASSWORD", tenant = "Acme" }}

[sink]
key = "test:key"
list_id = "a1b2c3d4e5"
base_url = "{mailchimp}"
store = {{ id = "acme", name = "Acme", currency_code = "USD" }}

[state]
path = "{state}"

[mapping.members]
tags = ["ERP"]
merge_fields = {{ ERPID = "key", CLASS = "raw.CustomerClass" }}

[policy]
new_members = "transactional"
"""


def test_an_engine_is_built_from_a_config_anywhere(world, tmp_path, monkeypatch):
    """A config survives pickling, holds no secret, and builds an engine that works."""
    monkeypatch.setenv("ERP_PASSWORD", "correct horse")
    world.erp.fake.add_customer(email="buyer@harbor-pumps.com", CustomerClass="TRADE")
    text = CONFIG.format(erp=world.erp.fake.base_url, mailchimp=world.mailchimp.base_url, state=tmp_path / "acme.db")
    config = pickle.loads(pickle.dumps(load_config(text)))

    with SyncEngine.from_config(config.to_dict(), secrets={"test:key": world.mailchimp.api_key}) as engine:
        report = engine.run()

    assert report.ok, str(report)
    member = world.mailchimp.members["buyer@harbor-pumps.com"]
    assert ("transactional", "TRADE", ["ERP"]) == (member.status, member.merge_fields["CLASS"], list(member.tags))


def test_every_mistake_of_a_config_is_told_at_once():
    """Each mistake stands on a line of its own, as path and problem."""
    with pytest.raises(ConfigurationError) as caught:
        load_config({"name": "acme", "source": {"system": "acumatica", "uri": "x"}, "sink": {"key": 5, "list_id": "a"}})

    text = str(caught.value)
    assert "config.source" in text
    assert "config.sink.key" in text
    assert "uri" in text
    assert len(text.splitlines()) >= 3


def test_a_secret_written_into_a_config_is_not_repeated(world):
    """Where somebody wrote the secret itself instead of a reference, the message does not show it."""
    text = CONFIG.format(erp="https://erp.acme.org/Acme", mailchimp="https://x.acme.org/3.0", state="acme.db")
    with pytest.raises(ConfigurationError) as caught:
        SyncEngine.from_config(text.replace("env:ERP_PASSWORD", "hunter2-hunter2"))

    assert "source.auth.password" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_state_in_a_file_serves_the_next_process(world, tmp_path):
    """What one engine committed to SQLite, another one on the same file knows."""
    filled(world, 30)
    world.run(state=SQLiteStateStore(tmp_path / "acme.db"))
    before = len(world.writes)

    report = world.run(state=SQLiteStateStore(tmp_path / "acme.db"), full=True)

    assert report.streams["customers"].unchanged == 30
    assert world.writes[before:] == []


def test_parts_that_do_not_fit_are_refused_before_anything_is_sent(world):
    """An unknown stream, orders without a store, and a policy the source cannot serve are configuration errors."""
    with pytest.raises(ConfigurationError, match="no invoices"):
        world.engine().run(["invoices"])
    with pytest.raises(ConfigurationError, match="store"):
        world.engine(sink=world.sink(store=None)).run(["orders"])
    with pytest.raises(ConfigurationError, match="flag_source"):
        world.engine(policy=SyncPolicy(on_unsubscribe="flag_source"))
    with pytest.raises(ConfigurationError, match="name"):
        world.engine(name=" ")


def test_an_engine_runs_in_threads_and_repeatedly(world):
    """One engine runs again and again, also from another thread."""
    filled(world, 3)
    engine = world.engine(state=MemoryStateStore())
    reports = []
    for _ in range(2):
        thread = threading.Thread(target=lambda: reports.append(engine.run()))
        thread.start()
        thread.join()

    assert [3, 0] == [report.streams["customers"].created for report in reports]


def test_secrets_and_addresses_appear_in_no_log(world, caplog):
    """With every logger at DEBUG, no password, key, cookie or address of anybody is logged."""
    world.erp.add_customer("somebody@harbor-pumps.com", name="Somebody Secret")
    world.erp.add_customer("broken address of somebody")
    with caplog.at_level(logging.DEBUG):
        world.run()

    text = "\n".join(record.getMessage() for record in caplog.records)
    assert "mailchimp" in text
    for secret in ("correct horse", world.mailchimp.api_key, "somebody", "ASPXAUTH", "Somebody Secret"):
        assert secret not in text


def test_new_members_of_a_double_optin_audience_are_asked_first():
    """Where the audience wants confirmation, a new member starts pending."""
    with World(mailchimp={"double_optin": True}) as world:
        world.erp.add_customer("ask@harbor-pumps.com")

        world.run(streams=["customers"])

        assert world.status("ask@harbor-pumps.com") == "pending"


class Flagging(Acumatica):
    """An Acumatica whose customers can be marked, and where somebody may hold a record open."""

    flagged_streams = ("customers",)
    locked = False

    def flag(self, stream, key, suppression) -> None:
        if type(self).locked:
            raise ServerFaultError("the record is in use: close it", system="acumatica", reason="locked")
        FLAGGED.append((stream, key, suppression.reason))


FLAGGED: list[tuple[str, str, str]] = []


@pytest.fixture
def flagging(monkeypatch):
    """How a run flags, with nobody flagged yet."""
    FLAGGED.clear()
    monkeypatch.setattr(Flagging, "locked", False)
    return {"streams": ["customers"], "policy": SyncPolicy(on_unsubscribe="flag_source")}


def _unsubscribed_customer(world) -> str:
    key = world.erp.add_customer("left@harbor-pumps.com")
    world.run(streams=["customers"])
    world.mailchimp.unsubscribe("left@harbor-pumps.com")
    return key


def test_a_source_that_can_flag_is_told_of_unsubscribes(world, flagging):
    """With `on_unsubscribe="flag_source"` the ERP record of whoever left is flagged, once."""
    key = _unsubscribed_customer(world)

    report = world.run(source=world.erp.source(kind=Flagging), **flagging)
    world.run(source=world.erp.source(kind=Flagging), **flagging)

    assert [("customers", key, "unsubscribed")] == FLAGGED
    assert report.streams["flags"].updated == 1


def test_a_plan_flags_nobody(world, flagging):
    """A plan writes nothing, in the ERP neither."""
    _unsubscribed_customer(world)
    world.clock.advance(minutes=60)

    with world.engine(source=world.erp.source(kind=Flagging), policy=flagging["policy"]) as engine:
        engine.plan(["customers"])

    assert FLAGGED == []


def test_a_locked_record_is_flagged_by_a_later_run(world, flagging):
    """A flag that the ERP does not take now waits as a dead letter, stops nobody, and is told again."""
    key = _unsubscribed_customer(world)
    Flagging.locked = True
    held = world.run(source=world.erp.source(kind=Flagging), **flagging)
    waiting = list(world.state.dead_letters("acme", stream="flags"))
    Flagging.locked = False

    freed = world.run(source=world.erp.source(kind=Flagging), **flagging)

    assert not held.ok
    assert held.streams["flags"].reasons == {"locked": 1}
    assert held.streams["customers"].error == ""
    assert [(letter.key, letter.reason) for letter in waiting] == [(f"customers/{key}", "locked")]
    assert [("customers", key, "unsubscribed")] == FLAGGED
    assert freed.ok
    assert list(world.state.dead_letters("acme", stream="flags")) == []


def test_a_flag_that_waits_is_dropped_when_the_person_comes_back(world, flagging):
    """Nobody is flagged who has subscribed again by the time the record is free."""
    _unsubscribed_customer(world)
    Flagging.locked = True
    world.run(source=world.erp.source(kind=Flagging), **flagging)
    world.mailchimp.confirm("left@harbor-pumps.com")
    Flagging.locked = False

    report = world.run(source=world.erp.source(kind=Flagging), **flagging)

    assert FLAGGED == []
    assert report.streams["flags"].reasons == {"no_longer_suppressed": 1}
    assert list(world.state.dead_letters("acme", stream="flags")) == []
