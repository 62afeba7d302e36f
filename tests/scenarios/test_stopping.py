"""A run that is stopped or interrupted ends soon and in good order, and the next one does the rest."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from mlconnector_sdk import SQLiteStateStore, SyncEngine
from mlconnector_sdk.errors import LeaseHeldError
from mlconnector_sdk.events import PageCommitted, Waiting
from mlconnector_sdk.models import Checkpoint, Lease
from mlconnector_sdk.sync._lease import HeldLease
from mlconnector_sdk.testing import Request

LONG = {"Retry-After": "100"}
SOON = 30.0
"""Far longer than it takes, far shorter than the pause."""

THREADS = ("load", "read ahead", "lease")


def filled(world, count: int) -> None:
    """That many customers."""
    for number in range(count):
        world.erp.add_customer(f"c{number}@acme.org")


def at_work() -> list[str]:
    """The threads of a run that are still alive."""
    return [thread.name for thread in threading.enumerate() if thread.name.startswith(THREADS)]


@contextmanager
def soon() -> Iterator[None]:
    """What is inside does not wait out a pause, and leaves no thread behind."""
    began = time.monotonic()
    yield
    assert time.monotonic() - began < SOON
    assert [] == at_work()


def stopping_on(world, kind: type) -> Any:
    """An engine that is stopped when it first tells of such an event."""
    engine = world.engine(on_event=lambda event: engine.stop() if isinstance(event, kind) else None)
    return engine


PAUSES: dict[str, Callable[[Any], Any]] = {
    "before anything is read": lambda world: world.mailchimp.fail(
        status=503, headers=LONG, method="GET", path="/lists/a1b2c3d4e5/members", times=1
    ),
    "while the ERP is read": lambda world: world.erp.fake.fail(
        status=503, headers=LONG, path="/entity/Default/", nth=3, times=1
    ),
    "while members are written": lambda world: world.mailchimp.fail(
        status=503, headers=LONG, method="POST", path="/lists/a1b2c3d4e5", nth=3, times=1
    ),
}


@pytest.mark.parametrize("when", PAUSES)
def test_a_stop_ends_a_pause(world, when):
    """A pause that the far side asked for is not slept through; the report says so and the next run completes."""
    filled(world, 1300)
    PAUSES[when](world)
    engine = stopping_on(world, Waiting)

    with soon():
        report = engine.run(["customers"])

    assert (True, False) == (report.stopped, report.ok)
    assert world.state.mark("acme", "customers") is None
    assert [] == list(world.state.dead_letters("acme"))
    world.clock.advance(hours=1)
    assert engine.run(["customers"]).ok
    assert 1300 == len(world.mailchimp.members)


def test_a_stop_ends_the_pause_of_every_worker(world):
    """A rate limit holds all workers of the account back; a stop lets all of them go."""
    filled(world, 10)
    engine = stopping_on(world, Waiting)
    engine.run(["customers"])
    for number in range(2000):
        world.erp.add_customer(f"later{number}@acme.org")
    world.mailchimp.fail(status=429, headers=LONG, method="POST", path="/lists/a1b2c3d4e5")

    with soon():
        report = engine.run(["customers"])

    assert report.stopped
    assert 10 == len(world.mailchimp.members)


def test_what_was_read_before_a_stop_is_committed(world):
    """When the stop meets the reader in a pause, what it had read is still written and linked."""
    filled(world, 1300)
    world.erp.fake.fail(status=503, headers=LONG, path="/entity/Default/", nth=23, times=1)

    report = stopping_on(world, Waiting).run(["customers"])

    assert report.stopped
    assert report.streams["customers"].created == len(world.mailchimp.members) > 0


@pytest.mark.parametrize("job", ["plan", "replay", "reconcile", "run"])
def test_every_job_can_be_stopped_in_a_pause(world, job):
    """Plans, replays and comparisons end as soon as runs do."""
    filled(world, 3)
    world.run(streams=["customers"])
    PAUSES["before anything is read"](world)
    world.erp.fake.fail(status=503, headers=LONG, path="/entity/Default/", times=1)
    engine = stopping_on(world, Waiting)

    with soon():
        assert getattr(engine, job)().stopped


def test_a_stop_before_a_run_stops_the_next_one(world):
    """A stop that comes too early is not lost, and counts once."""
    filled(world, 3)
    engine = world.engine()
    engine.stop()

    assert engine.run().stopped
    assert engine.run().ok


@pytest.mark.parametrize(
    "call",
    [
        SyncEngine.run,
        SyncEngine.replay,
        partial(SyncEngine.reconcile, repair=True),
        partial(SyncEngine.sweep, dormant_after=timedelta(days=730)),
    ],
    ids=["run", "replay", "reconcile", "sweep"],
)
def test_another_run_is_waited_for_as_long_as_is_said(world, call):
    """A lease is waited for, within a limit; a stop ends that wait as well."""
    world.erp.add_order(world.erp.add_customer("ada@harbor-pumps.com"))
    engine = world.engine()
    assert engine.run().ok
    held = HeldLease(world.state, "acme", owner="another", clock=world.clock)
    with pytest.raises(LeaseHeldError):
        call(engine, wait=0.01)
    engine.stop()
    with soon():
        assert call(engine, wait=250).stopped
    with held:
        pass

    assert call(engine, wait=1).ok


# Interrupted by hand


def interrupt() -> None:
    """What Ctrl-C does, to the main thread."""
    main = threading.main_thread().ident
    assert main is not None
    signal.pthread_kill(main, signal.SIGINT)


def once(condition: Callable[[Any], bool]) -> Callable[[Any], None]:
    """Interrupts when it first sees what the condition says."""
    seen: list[Any] = []

    def look(what: Any) -> None:
        if not seen and condition(what):
            seen.append(what)
            interrupt()

    return look


def reads(request: Request) -> bool:
    """It asks the ERP for customers."""
    return "/Default/" in request.path and request.path.endswith("/Customer")


def writes(request: Request) -> bool:
    """It writes members in bulk."""
    return request.method == "POST" and request.path.endswith("/lists/a1b2c3d4e5")


MOMENTS: dict[str, Callable[[Any], dict[str, Any]]] = {
    "while a page is awaited": lambda world: world.erp.fake.before_each.append(once(reads)) or {},
    "while a batch is written": lambda world: world.mailchimp.before_each.append(once(writes)) or {},
    "in a pause of the reader": lambda world: (
        PAUSES["while the ERP is read"](world) and {"on_event": once(lambda event: isinstance(event, Waiting))}
    ),
    "in a pause of a worker": lambda world: (
        PAUSES["while members are written"](world) and {"on_event": once(lambda event: isinstance(event, Waiting))}
    ),
    "in a pause of its own": lambda world: (
        PAUSES["before anything is read"](world) and {"on_event": once(lambda event: isinstance(event, Waiting))}
    ),
    "after a commit": lambda world: {"on_event": once(lambda event: isinstance(event, PageCommitted))},
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_an_interrupt_leaves_things_in_order(world, moment):
    """Ctrl-C ends the run soon, with the lease free and no thread left; the next run ends where it should."""
    filled(world, 1300)
    settings = MOMENTS[moment](world)

    with soon(), pytest.raises(KeyboardInterrupt):
        world.engine(**settings).run(["customers"])

    assert world.run(streams=["customers"], later=0).ok
    assert 1300 == len(world.mailchimp.members)


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("number", [1, 2, 3])
def test_an_interrupt_in_a_commit_leaves_things_in_order(world, tmp_path, number, after):
    """Ctrl-C in the middle of a commit: the checkpoint is there or not, never in part."""

    class Interrupted(SQLiteStateStore):
        commits = 0

        def commit(self, checkpoint: Checkpoint, lease: Lease) -> None:
            self.commits += 1
            if after or self.commits != number:
                super().commit(checkpoint, lease)
            if self.commits == number:
                raise KeyboardInterrupt

    filled(world, 700)
    path = tmp_path / "acme.db"
    with soon(), pytest.raises(KeyboardInterrupt), world.engine(state=Interrupted(path)) as engine:
        engine.run(["customers"])

    assert world.run(streams=["customers"], later=0, state=SQLiteStateStore(path)).ok
    assert 700 == len(world.mailchimp.members)


# A process that is asked to end


def until(condition: Callable[[], Any]) -> None:
    """Wait for what another process brings about."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < SOON
        time.sleep(0.01)


HOST = """
import signal, sys
from mlconnector_sdk import Acumatica, MailchimpSink, SQLiteStateStore, SyncEngine
from mlconnector_sdk.auth import CookieLogin

erp, version, mailchimp, key, path = sys.argv[1:]
source = Acumatica(erp, version=version, auth=CookieLogin(username="sync", password="correct horse", tenant="Acme"))
sink = MailchimpSink(key, list_id="a1b2c3d4e5", base_url=mailchimp)
with SyncEngine(source, sink, state=SQLiteStateStore(path), name="acme", progress=False) as engine:
    signal.signal(signal.SIGTERM, lambda *_: engine.stop())
    report = engine.run(["customers"])
print("stopped" if report.stopped else "not stopped")
"""


@pytest.mark.skipif(os.name != "posix", reason="SIGTERM is a signal of POSIX systems")
def test_a_process_that_is_terminated_ends_in_good_order(world, tmp_path):
    """SIGTERM in the middle of a pause ends the process at once with its report; the next run completes."""
    filled(world, 700)
    path = tmp_path / "acme.db"
    fault = world.mailchimp.fail(status=429, headers=LONG, method="POST", path="/lists/a1b2c3d4e5", nth=3)
    arguments = [world.erp.fake.base_url, world.erp.fake.version, world.mailchimp.base_url, world.mailchimp.api_key]
    with subprocess.Popen(
        [sys.executable, "-c", HOST, *arguments, str(path)], stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            until(lambda: fault.fired)
            process.send_signal(signal.SIGTERM)
            said, _ = process.communicate(timeout=SOON)
        finally:
            process.kill()

    assert (0, "stopped\n") == (process.returncode, said)
    assert world.run(streams=["customers"], later=0, state=SQLiteStateStore(path)).ok
    assert 700 == len(world.mailchimp.members)
