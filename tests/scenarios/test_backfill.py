"""Years of orders loaded at once: by batches that Mailchimp works on by itself, whatever breaks in between."""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import attrs
import pytest

from mlconnector_sdk.errors import MLConnectorError, RateLimitError, TimeoutExceededError, TransientError
from mlconnector_sdk.events import Waiting
from mlconnector_sdk.models import Checkpoint, Note
from mlconnector_sdk.retry import RetryPolicy
from mlconnector_sdk.testing import Request
from tests.scenarios._history import Crash, FailingBooks, OrderHistory
from tests.scenarios._worlds import World

PATIENT = RetryPolicy.immediate(attempts=400)
SMALL = {"batch_from": 50, "batch_size": 40}
"""Settings by which 130 orders are many."""


class Backfill(World):
    """A world whose ERP is a history of orders, and whose books may fail."""

    state: FailingBooks

    def __init__(self, count: int, *, mailchimp: dict[str, Any] | None = None, **history: Any) -> None:
        super().__init__(state=FailingBooks(), mailchimp=mailchimp)
        self.history = OrderHistory(count, **history)
        self.syncing: Counter[bool] = Counter()
        """How many operations of batches ran while the store was marked as syncing, and while it was not."""
        self.spoil: Callable[[Any], int | None] = lambda operation: None
        self.mailchimp.spoil_operations(self._run_operation)

    def _run_operation(self, operation: Any) -> int | None:
        self.syncing[self.mailchimp.stores["acme"].is_syncing] += 1
        return self.spoil(operation)

    def load(self, **sink: Any) -> Any:
        """One run in which many orders are worth a batch."""
        settings = {"batch_polling": PATIENT, **SMALL, **sink}
        return self.run(source=self.history, sink=self.sink(**settings))

    def crashed(self, **sink: Any) -> None:
        """A run that does not live to its end."""
        with pytest.raises((Crash, MLConnectorError)):
            self.load(**sink)

    @property
    def notes(self) -> list[Note]:
        """What is noted as under way."""
        return [note for kind in ("batch", "history") for note in self.state.notes("acme", kind)]

    @property
    def batches(self) -> int:
        """Batches handed over."""
        return len(self.mailchimp.requests("POST", "/3.0/batches"))

    def facts(self) -> dict[str, Any]:
        """What is in store and books, to compare two worlds."""
        store = self.mailchimp.stores["acme"]
        links = [attrs.evolve(link, synced_at=None) for link in self.state.all_links("acme", "orders")]
        return {"mailchimp": self.mailchimp.snapshot(), "totals": store.totals, "links": links}


@pytest.fixture(name="make")
def _make() -> Iterator[Callable[..., Backfill]]:
    with contextlib.ExitStack() as stack:
        yield lambda *args, **options: stack.enter_context(Backfill(*args, **options))


@pytest.fixture(name="undisturbed", scope="module")
def _undisturbed() -> dict[str, Any]:
    with Backfill(130) as world:
        assert world.load().ok
        return world.facts()


def assert_complete(world: Backfill) -> None:
    """Every order is in the store and in the books once, nothing is under way, and the store is awake."""
    count = len(world.history.orders)
    assert count == len(world.mailchimp.orders)
    assert count == sum(orders for orders, _ in world.mailchimp.stores["acme"].totals.values())
    assert {"synced": count} == Counter(link.state for link in world.state.all_links("acme", "orders"))
    assert [] == list(world.state.dead_letters("acme"))
    assert [] == world.notes
    assert not world.mailchimp.stores["acme"].is_syncing
    before = len(world.writes)
    assert count == world.run(source=world.history, full=True).streams["orders"].unchanged
    assert [] == world.writes[before:]


def vanish_after(world: Backfill, wanted: Callable[[Request], bool], count: int = 1) -> None:
    """Let Mailchimp answer so many requests of this kind, and nothing any more from then on."""
    left = [count]

    def watch(request: Request) -> None:
        left[0] -= wanted(request)
        if left[0] == 0:
            world.mailchimp.fail(drop="before")

    world.mailchimp.before_each.append(watch)


def come_back(world: Backfill) -> None:
    """Let Mailchimp answer again."""
    world.mailchimp.faults.clear()
    world.mailchimp.before_each.clear()


def is_look(request: Request) -> bool:
    """Whether somebody looks at a batch."""
    return request.method == "GET" and "/3.0/batches/" in request.path


def is_download(request: Request) -> bool:
    """Whether somebody fetches results."""
    return request.path.startswith("/batch-results/")


def is_submission(request: Request) -> bool:
    """Whether somebody hands over a batch."""
    return request.method == "POST" and request.path == "/3.0/batches"


def begins(stage: str) -> Callable[[Checkpoint], bool]:
    """Whether a checkpoint notes a batch of this stage."""
    return lambda checkpoint: any(note.payload.get("stage") == stage for note in checkpoint.notes)


# How it goes


def test_products_come_before_the_orders_that_need_them(make):
    """Products and orders travel in batches of their own, bodies as text, by the ERP's keys; nothing goes singly."""
    world = make(130)

    report = world.load()

    assert report.ok, str(report)
    assert 130 == report.streams["orders"].created
    handed = [entry.request.json()["operations"] for entry in world.mailchimp.requests("POST", "/3.0/batches")]
    assert [40, 20, 40, 40, 40, 10] == [len(operations) for operations in handed]
    assert [{"products"}] * 2 + [{"orders"}] * 4 == [
        {operation["path"].rsplit("/", 1)[1] for operation in operations} for operations in handed
    ]
    assert {order.key for order in world.history.orders} == {
        operation["operation_id"] for operations in handed[2:] for operation in operations
    }
    assert all(isinstance(json.loads(operation["body"]), dict) for operations in handed for operation in operations)
    assert [] == world.mailchimp.requests("POST", "/orders")
    assert_complete(world)


def test_few_orders_go_by_calls_of_their_own(make):
    """Below the threshold there is no batch, and a new order costs two calls at the most."""
    world = make(49, products=49)

    report = world.load(batch_from=50)

    assert (True, 0) == (report.ok, world.batches)
    assert {"products": 49, "orders": 49} == Counter(
        entry.path.rpartition("/")[2] for entry in world.mailchimp.writes if "/acme/" in entry.path
    )
    assert_complete(world)


def test_batches_can_be_switched_off(make):
    """Without a threshold nothing is ever handed over."""
    world = make(130)

    assert (True, 0) == (world.load(batch_from=None).ok, world.batches)
    assert_complete(world)


@pytest.mark.parametrize(("rest", "batches", "singly"), [(19, 8, 19), (20, 9, 0)])
def test_a_load_that_goes_in_batches_ends_in_one(make, rest, batches, singly):
    """What is left at the end of many orders goes in a batch as well, unless it is a handful."""
    world = make(4000 + rest, customers=50, products=5)

    world.load(batch_from=3000, batch_size=500)

    assert (batches, singly) == (world.batches, len(world.mailchimp.requests("POST", "/orders")))
    assert_complete(world)


def test_unchanged_orders_hand_over_nothing(make):
    """A full read of orders that are known makes no batch."""
    world = make(130)
    world.load()
    before = world.batches

    assert 130 == world.run(source=world.history, sink=world.sink(**SMALL), full=True).streams["orders"].unchanged
    assert before == world.batches


def test_updates_go_singly_beside_the_batches(make):
    """Known orders that changed are updated by calls of their own while batches create the new ones."""
    world = make(60)
    world.load()
    world.history.orders = [attrs.evolve(order, payment="open") for order in world.history.orders[:20]]
    world.history.orders += OrderHistory(160).orders[60:]

    report = world.run(source=world.history, sink=world.sink(batch_polling=PATIENT, **SMALL), full=True)

    assert (20, 100) == (report.streams["orders"].updated, report.streams["orders"].created)
    assert 20 == len(world.mailchimp.requests("PATCH", "/orders/"))
    assert {"pending": 20, "paid": 140} == Counter(
        order["financial_status"] for order in world.mailchimp.orders.values()
    )


def test_a_later_version_waits_for_the_earlier_one(make):
    """An order that comes twice in one window is created by a batch as it was, and then updated to what it is."""
    world = make(600)
    world.history.orders.append(attrs.evolve(world.history.orders[3], payment="refunded"))

    report = world.load(batch_size=500)

    assert (600, 1) == (report.streams["orders"].created, report.streams["orders"].updated)
    assert "refunded" == world.mailchimp.orders["INV-000003"]["financial_status"]


def test_a_plan_hands_over_nothing(make):
    """A plan of a back-fill foretells it and writes nothing, in Mailchimp or in the books."""
    world = make(130)
    world.clock.advance(hours=1)

    plan = world.engine(source=world.history, sink=world.sink(**SMALL)).plan()

    assert (130, [], []) == (plan.streams["orders"].created, world.writes, world.state.commits)


def test_a_wait_is_announced(make):
    """Whoever watches a run sees that it waits for a batch."""
    world = make(130)
    world.load()

    assert "batch_unfinished" in {event.reason for event in world.events if isinstance(event, Waiting)}


def test_the_store_is_quiet_while_batches_run(make):
    """Every operation of a first load runs while the store is marked as syncing."""
    world = make(130)
    world.load()

    assert {True: 190} == world.syncing


def test_batches_may_take_their_time(make):
    """Where batches run by the clock, one after the other, the run waits for them."""
    world = make(130, mailchimp={"batch_pace": 30})
    world.mailchimp.before_each.append(lambda request: world.clock.advance(seconds=7 * is_look(request)))

    assert world.load().ok
    assert_complete(world)


# What fails


def test_operations_that_fail_are_written_singly(make):
    """Faults and refusals of single operations cost single calls; who is refused again is set aside, the others not."""
    world = make(130)
    bad = "INV-000007"
    world.history.orders[7] = attrs.evolve(world.history.orders[7], email="nobody@fake.test")
    statuses = {"INV-000001": 500, "INV-000002": 429, "INV-000003": 404, "ITEM-4": 503}
    world.spoil = lambda operation: statuses.get(operation["operation_id"])

    report = world.load()

    assert {"address_refused": 1} == dict(report.streams["orders"].reasons)
    assert (129, 1) == (report.streams["orders"].created, report.streams["orders"].dead)
    assert [bad] == [letter.key for letter in world.state.dead_letters("acme")]
    assert 4 == len(world.mailchimp.requests("POST", "/orders"))
    assert "ITEM-4" in world.mailchimp.products
    assert [] == world.notes


def test_what_exists_already_is_updated(make):
    """With new, empty books every order and product exists already: all are updated, none is doubled."""
    world = make(130)
    world.load()
    before = world.facts()["mailchimp"]
    world.state = FailingBooks()

    report = world.load()

    assert (130, 0) == (report.streams["orders"].updated, report.streams["orders"].dead)
    assert 130 == len(world.mailchimp.requests("PATCH", "/orders/"))
    assert before == world.facts()["mailchimp"]
    assert_complete(world)


def test_a_product_that_cannot_be_written_concerns_its_orders_only(make):
    """Orders of a product that Mailchimp refuses are set aside; those of other products are created."""
    world = make(130)
    world.spoil = lambda operation: 400 if operation["operation_id"] == "ITEM-9" else None
    world.mailchimp.fail(
        status=400, body={"title": "Bad Request", "detail": "no such luck"}, path="/stores/acme/products"
    )

    report = world.load()

    assert {"refused": 3} == dict(report.streams["orders"].reasons)
    assert 127 == report.streams["orders"].created


def test_results_that_name_nothing_prove_nothing(make):
    """Where an archive is empty, every order is written again singly, and nothing is taken for done."""
    world = make(130)
    world.mailchimp.fail(status=200, body=EMPTY_ARCHIVE, path="/batch-results/")

    report = world.load()

    assert (True, 130) == (report.ok, len(world.mailchimp.orders))
    assert_complete(world)


EMPTY_ARCHIVE = bytes(1024)


def test_a_batch_that_somebody_deletes_is_written_singly(make):
    """A batch that is gone while it is waited for leaves nothing out."""
    world = make(130)
    gone: list[str] = []

    def delete(request: Request) -> None:
        if is_look(request) and len(world.mailchimp.batches) == 6 and not gone:
            gone.append(list(world.mailchimp.batches)[3])
            del world.mailchimp.batches[gone[0]]

    world.mailchimp.before_each.append(delete)

    assert world.load().ok
    assert 40 == len(world.mailchimp.requests("POST", "/orders"))
    assert_complete(world)


def test_an_outage_during_single_calls_stops_the_run(make):
    """When what failed in batches fails again singly with server faults, it is an outage, and nothing is set aside."""
    world = make(130)
    world.spoil = lambda operation: 500 if operation["path"].endswith("/orders") else None
    world.mailchimp.fail(status=500, body={"title": "Internal Server Error"}, path="/stores/acme/orders")
    world.crashed()
    come_back(world)
    world.spoil = lambda operation: None

    assert [] == list(world.state.dead_letters("acme"))
    assert world.load().ok
    assert_complete(world)


# Throttling and deadlines


def test_too_many_waiting_batches_are_waited_for(make):
    """A 429 for waiting batches delays the back-fill and loses nothing."""
    world = make(130)
    world.mailchimp.fail_next(429, times=5, method="POST", path="/3.0/batches")

    assert world.load().ok
    assert_complete(world)


def test_throttling_without_end_is_left_to_the_next_run(make):
    """When the account stays full the run ends, and the next one does the whole work."""
    world = make(130)
    world.mailchimp.fail(status=429, method="POST", path="/3.0/batches")
    with pytest.raises(RateLimitError):
        world.load(batch_polling=RetryPolicy.immediate(attempts=4))
    come_back(world)

    assert world.load().ok
    assert_complete(world)


def test_a_batch_that_misses_its_deadline_is_taken_up_later(make, undisturbed):
    """The run ends with an error that says so; the next one takes the results and hands over nothing again."""
    world = make(130)

    def hold(request: Request) -> None:
        world.mailchimp.hold_batches(hold=len(world.mailchimp.batches) > 2)

    world.mailchimp.before_each.append(hold)
    with pytest.raises(TimeoutExceededError, match="run again later"):
        world.load(batch_polling=RetryPolicy.immediate(attempts=30))
    assert 4 + 1 == len(world.notes)
    come_back(world)
    world.mailchimp.hold_batches(hold=False)

    report = world.load()

    assert (130, 6) == (report.streams["orders"].created, world.batches)
    assert {True: 190} == world.syncing
    assert undisturbed == world.facts()
    assert_complete(world)


def test_a_run_may_be_stopped_while_it_waits(make, undisturbed):
    """`stop()` ends the wait without an error; the store stays quiet until the next run has the results."""
    world = make(130)
    world.clock.advance(hours=1)
    engine = world.engine(source=world.history, sink=world.sink(batch_polling=PATIENT, **SMALL))

    def stop(request: Request) -> None:
        if is_look(request) and len(world.mailchimp.batches) == 6:
            engine.stop()

    world.mailchimp.before_each.append(stop)

    report = engine.run()

    assert (True, 0) == (report.stopped, report.streams["orders"].created)
    assert world.mailchimp.stores["acme"].is_syncing
    come_back(world)
    assert (130, 6) == (world.load().streams["orders"].created, world.batches)
    assert undisturbed == world.facts()
    assert_complete(world)


def test_a_stopped_run_hands_nothing_more_over(make):
    """Orders that only wait to become a batch when the run is stopped are left to the next run."""
    world = make(1500)
    world.clock.advance(hours=1)
    engine = world.engine(source=world.history, sink=world.sink(batch_polling=PATIENT, **SMALL))
    read = world.history.read

    def stopping(stream: str, *window: Any) -> Iterator[Any]:
        engine.stop()
        yield from read(stream, *window)

    world.history.read = stopping  # type: ignore[method-assign]

    assert engine.run().stopped
    assert (0, False) == (world.batches, world.mailchimp.stores["acme"].is_syncing)
    world.history.read = read  # type: ignore[method-assign]
    assert world.load().ok
    assert_complete(world)


# Crashes


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("number", range(13))
def test_a_crash_at_any_commit_loses_and_doubles_nothing(make, undisturbed, number, when):
    """Whichever commit of a back-fill is the last, the next run ends where an undisturbed one would have."""
    world = make(130)
    seen: list[Checkpoint] = []

    def crash(checkpoint: Checkpoint) -> str | None:
        seen.append(checkpoint)
        return when if len(seen) == number + 1 else None

    world.state.crash = crash
    with contextlib.suppress(Crash):
        world.load()
    world.state.crash = lambda checkpoint: None

    assert world.load().ok
    assert undisturbed == world.facts()
    assert_complete(world)


@pytest.mark.parametrize("kind", [is_submission, is_look, is_download], ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("count", range(1, 7))
def test_an_end_of_the_connection_at_any_request_loses_and_doubles_nothing(make, undisturbed, kind, count):
    """However far a back-fill came when Mailchimp went out of reach, the next run completes it."""
    world = make(130)
    vanish_after(world, kind, count)
    world.crashed(batch_polling=RetryPolicy.immediate(attempts=30), retry=RetryPolicy(attempts=1))
    come_back(world)

    assert world.load().ok
    assert undisturbed == world.facts()
    assert_complete(world)


def test_results_of_noted_batches_are_taken_and_nothing_is_sent_again(make, undisturbed):
    """A process that ends while all batches are noted costs no write: the next run has their results."""
    world = make(130)
    world.state.crash = lambda checkpoint: "before" if checkpoint.links and checkpoint.audit else None
    world.crashed()
    world.state.crash = lambda checkpoint: None
    before = len(world.writes)

    report = world.load()

    assert 130 == report.streams["orders"].created
    assert {"PATCH /3.0/ecommerce/stores/acme"} == set(world.writes[before:])
    assert undisturbed == world.facts()
    assert {"created by an interrupted run"} == {entry.message for entry in world.state.commits[-2].audit}


def test_an_answer_that_was_lost_costs_calls_but_no_order(make, undisturbed):
    """When a batch was accepted but the answer never came, it is handed over again; what exists then is updated."""
    world = make(130)
    world.mailchimp.fail(drop="after", method="POST", path="/3.0/batches", nth=4)

    assert world.load().ok
    assert 7 == len(world.mailchimp.batches)
    assert undisturbed == world.facts()
    assert_complete(world)


def test_an_order_that_changed_in_between_ends_as_it_is_now(make):
    """If an order changes in the ERP while its batch is lost from sight, the next run brings the newer version."""
    world = make(130)
    world.state.crash = lambda checkpoint: "before" if checkpoint.audit else None
    world.crashed()
    world.state.crash = lambda checkpoint: None
    world.history.orders[3] = attrs.evolve(world.history.orders[3], payment="refunded", lines=_two_lines())

    report = world.load()

    assert (129, 1) == (report.streams["orders"].created, report.streams["orders"].updated)
    order = world.mailchimp.orders["INV-000003"]
    assert ("refunded", ["2", "3"]) == (order["financial_status"], [line["id"] for line in order["lines"]])
    assert_complete(world)


def _two_lines() -> Any:
    line = OrderHistory(1).orders[0].lines[0]
    return (attrs.evolve(line, key="2"), attrs.evolve(line, key="3"))


def test_results_older_than_seven_days_are_done_without(make, undisturbed):
    """When the next run comes after the results are gone, it writes the orders again and meets what exists."""
    world = make(130)
    world.state.crash = lambda checkpoint: "before" if checkpoint.audit else None
    world.crashed()
    world.state.crash = lambda checkpoint: None
    world.clock.advance(days=8)

    report = world.load()

    assert (True, 0, 130) == (report.ok, report.streams["orders"].created, report.streams["orders"].updated)
    assert undisturbed == world.facts()
    assert_complete(world)


def test_a_run_of_other_streams_leaves_batches_alone(make):
    """While batches are under way, a run without orders neither waits for them nor wakes the store."""
    world = make(130)
    vanish_after(world, is_look, 4)
    world.crashed(batch_polling=RetryPolicy.immediate(attempts=8))
    come_back(world)
    assert world.mailchimp.stores["acme"].is_syncing
    world.erp.add_customer("new@harbor-pumps.com")

    report = world.run(streams=["customers"])

    assert (True, 1) == (report.ok, report.streams["customers"].created)
    assert world.mailchimp.stores["acme"].is_syncing
    assert world.load().ok
    assert {True: 190} == world.syncing
    assert_complete(world)


def test_an_ordered_history_stays_quiet_to_its_end(make):
    """Where the mark follows batch by batch, the second half of an interrupted first load is history all the same."""
    world = make(9000, customers=50, products=5, ordered=True)
    vanish_after(world, is_submission, 10)
    world.crashed(batch_size=500)
    come_back(world)
    assert world.state.mark("acme", "orders") is not None

    assert world.load(batch_size=500).ok
    assert {True} == set(world.syncing)
    assert_complete(world)


def test_a_replay_of_many_dead_letters_goes_in_batches_too(make):
    """Dead letters by the hundred are handed over at once, and settled by the results."""
    world = make(130)
    world.mailchimp.refused_domains = (*world.mailchimp.refused_domains, "harbor-pumps.com")
    assert 130 == world.load().streams["orders"].dead
    world.mailchimp.refused_domains = ()
    before = world.batches

    with world.engine(source=world.history, sink=world.sink(batch_polling=PATIENT, **SMALL)) as engine:
        report = engine.replay()

    assert (130, 4) == (report.streams["orders"].created, world.batches - before)
    assert_complete(world)


# The whole of it


def test_twenty_thousand_orders_through_a_crash_in_every_stage(make):
    """20,000 orders are loaded although the process ends once in each stage: nothing is missing, nothing doubled."""
    world = make(20_000, customers=6000, products=400)
    settings = {"batch_from": 3000, "batch_size": 500}
    restless = {"retry": RetryPolicy(attempts=1), "batch_polling": RetryPolicy.immediate(attempts=30)}

    def crash_at(stage: Callable[[Checkpoint], Any]) -> None:
        for when in ("before", "after"):
            world.state.crash = lambda checkpoint, when=when: when if stage(checkpoint) else None
            with pytest.raises(Crash):
                world.load(**settings)
        world.state.crash = lambda checkpoint: None

    crash_at(begins("products"))
    crash_at(lambda checkpoint: checkpoint.links and not checkpoint.audit)
    for kind in (is_submission, is_look, is_download):
        vanish_after(world, kind, 3)
        with pytest.raises(TransientError):
            world.load(**settings, **restless)
        come_back(world)
    crash_at(begins("orders"))
    crash_at(lambda checkpoint: checkpoint.audit and not checkpoint.dropped)
    crash_at(lambda checkpoint: checkpoint.audit and checkpoint.dropped)
    crash_at(lambda checkpoint: checkpoint.mark is not None)
    world.load(**settings)

    assert {True} == set(world.syncing)
    assert_complete(world)


def test_a_back_fill_costs_few_calls(make):
    """8,000 orders of 2,000 customers and 300 products cost fewer than ten calls per thousand, all told."""
    world = make(8000, customers=2000, products=300, mailchimp={"batch_pace": 4})
    looks: Counter[str] = Counter()

    def wait(request: Request) -> None:
        # As the default settings wait: 5 s before the second look at a batch, twice as long before each further one.
        if is_look(request):
            if looks[request.path]:
                world.clock.advance(seconds=min(60, 5 * 2 ** (looks[request.path] - 1)))
            looks[request.path] += 1

    world.mailchimp.before_each.append(wait)

    report = world.load(batch_from=3000, batch_size=500)

    assert report.ok, str(report)
    assert report.requests["mailchimp"] / 8 < 10
    assert_complete(world)
