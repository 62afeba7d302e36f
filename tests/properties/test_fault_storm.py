"""Random lives of both ends with everything going wrong at once: what holds after every step, and in the end."""

from __future__ import annotations

import sys
import tempfile
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from mlconnector_sdk import SyncPolicy
from mlconnector_sdk.auth import OAuth2Password
from mlconnector_sdk.errors import AuthenticationError, ContractError, TransientError
from mlconnector_sdk.mailchimp import parse_webhook
from mlconnector_sdk.retry import RetryPolicy
from mlconnector_sdk.sync import _run
from tests.properties._storm_faults import ERP_FAULTS, MAILCHIMP_FAULTS, Trouble
from tests.properties._storm_life import Break, Death, Life, MortalStore
from tests.properties._storm_truth import Document, Person, Truth, is_address
from tests.scenarios._worlds import World

ADDRESSES = [f"{name}@harbor-pumps.com" for name in ("ann", "bob", "cem", "dot", "eve", "fay", "gus", "hal")]
FRESH = [f"moved{number}@harbor-pumps.com" for number in range(8)]
"""Addresses that records move to and nobody begins with, so that many a move concerns nobody else."""

NO_ADDRESSES = [None, "not an address"]
STRANGERS = ("first@quillpaper.com", "second@quillpaper.com")
PATIENCE = RetryPolicy(first_wait=0, longest_wait=0, within=1)
"""Tries as often as always, and waits for nobody: a pause that is asked for ends the run."""

CLIENT_ID, CLIENT_SECRET = "storm@Acme", "s3cret"
SECRET = "6e1f"
HOOK = "https://hooks.example.com/mailchimp"
MOST_ROUNDS = 6


def troubles(kinds: dict[str, Any]) -> st.SearchStrategy[list[Trouble]]:
    """Up to three faults: a single one somewhere, or a storm."""
    names, paths = (
        st.sampled_from(sorted(kinds)),
        st.sampled_from([None, None, "ustomer", "members", "/lists", "order"]),
    )
    single = st.builds(Trouble, kind=names, nth=st.integers(1, 12))
    storm = st.builds(
        Trouble, kind=names, times=st.integers(1, 15), every=st.sampled_from([None, None, 2, 3]), path=paths
    )
    return st.lists(single | storm, max_size=3)


PLACES = st.sampled_from(["before", "after"])
TIMEOUTS = st.builds(
    Break,
    at=st.sampled_from(["erp", "mailchimp"]),
    number=st.integers(1, 12),
    place=PLACES,
    how=st.sampled_from(["timeout", "no connection", "no connection in time"]),
    times=st.integers(1, 8),
)
DEATHS = st.builds(
    Break, at=st.sampled_from(["erp", "mailchimp"]), number=st.integers(1, 15), place=PLACES
) | st.builds(
    Break, at=st.just("commit"), number=st.integers(1, 10), place=st.sampled_from(["before", "within", "after"])
)
BREAKS = st.lists(TIMEOUTS | DEATHS, max_size=2).map(tuple)


class Storm(RuleBasedStateMachine):
    """Customers, contacts and orders change, people come and go, runs meet every fault there is, and end anywhere."""

    system: ClassVar[str]
    options: ClassVar[dict[str, Any]] = {}

    def __init__(self) -> None:
        super().__init__()
        self.cleanup = ExitStack()
        folder = self.cleanup.enter_context(tempfile.TemporaryDirectory())
        self.path = Path(folder) / "state.db"
        patch = self.cleanup.enter_context(pytest.MonkeyPatch.context())
        # A handful of records has as many checkpoints as a real load of thousands.
        patch.setattr(_run, "BATCH_SIZE", 3)
        self.world = self.cleanup.enter_context(World(self.system, **self.options))
        erp, mailchimp = self.world.erp.fake, self.world.mailchimp
        self.ports = {urlsplit(erp.url).port or 0: "erp", urlsplit(mailchimp.url).port or 0: "mailchimp"}
        self.truth = Truth()
        self.policy = SyncPolicy()
        self.source_settings: dict[str, Any] = {}
        self.unheard: list[Any] = []
        self.poisoned = False
        self.statuses: dict[str, str] = {}
        for address in STRANGERS:
            mailchimp.add_member(address, merge_fields={"FNAME": "Stranger"}, tags=["VIP"])
        self.strangers = self.strangers_now()

    @initialize(
        inactive=st.sampled_from(["unsubscribe", "archive"]),
        shared=st.sampled_from(["first_owner", "customer_first"]),
        page_size=st.sampled_from([2, 3, 50]),
        by_token=st.booleans(),
        loaded=st.booleans(),
    )
    def open(self, inactive: Any, shared: Any, page_size: int, *, by_token: bool, loaded: bool) -> None:
        """Five customers, two contacts and two orders, before a first load or after it."""
        self.policy = SyncPolicy(inactive=inactive, shared_email=shared, reactivated="resubscribe", most_leaving=1)
        self.source_settings = {"page_size": page_size, "retry": PATIENCE}
        if self.system == "acumatica" and by_token:
            auth = OAuth2Password(
                client_id=CLIENT_ID, client_secret=CLIENT_SECRET, username="sync", password="correct horse"
            )
            self.source_settings["auth"] = auth
        for number, address in enumerate(ADDRESSES[:5]):
            self.add_customer(address, 1)
            if number % 2:
                self.add_order(number, number)
        self.add_contact(ADDRESSES[5], 1)
        self.add_contact(ADDRESSES[0], 1)
        if loaded:
            self.operate(lambda engine: engine.run())

    # -- the ERP -------------------------------------------------------------------------------------------------

    @property
    def now(self) -> datetime:
        return self.world.clock.now()

    def pass_time(self, minutes: float = 1) -> None:
        self.world.clock.advance(minutes=minutes)

    def customer(self, pick: int) -> Person:
        here = self.truth.of("customers")
        return here[pick % len(here)]

    @rule(address=st.sampled_from([*ADDRESSES, *ADDRESSES, *NO_ADDRESSES]), inactive=st.integers(0, 4))
    def add_customer(self, address: str | None, inactive: int) -> None:
        name, active = f"Number {len(self.truth.people)}", inactive > 0
        key = self.world.erp.add_customer(address, name=name, inactive=not active)
        self.truth.people["customers", key] = Person(
            stream="customers",
            key=key,
            name=name,
            trail=[address],
            active=active,
            retired=not active,
            changed_at=self.now,
        )

    @rule(address=st.sampled_from(ADDRESSES), opted_out=st.integers(0, 4))
    def add_contact(self, address: str, opted_out: int) -> None:
        silent = opted_out == 0
        key = self.world.erp.add_contact(address, opted_out=silent)
        self.truth.people["contacts", key] = Person(
            stream="contacts", key=key, name="Mary", trail=[address], opted_out=silent, changed_at=self.now
        )

    @precondition(lambda self: self.truth.of("customers"))
    @rule(pick=st.integers(0, 99), address=st.sampled_from([*FRESH, *FRESH, *ADDRESSES, *NO_ADDRESSES]))
    def change_address(self, pick: int, address: str | None) -> None:
        person = self.customer(pick)
        self.world.erp.set_email(person.key, address)
        if address != person.address:
            person.trail.append(address)
        person.changed_at = self.now

    @precondition(lambda self: self.truth.of("customers"))
    @rule(pick=st.integers(0, 99), name=st.sampled_from(["Ada", "Bo", "Chen"]))
    def rename(self, pick: int, name: str) -> None:
        person = self.customer(pick)
        self.world.erp.rename(person.key, name)
        person.name, person.changed_at = name, self.now

    @precondition(lambda self: self.truth.of("customers"))
    @rule(pick=st.integers(0, 99))
    def toggle_activity(self, pick: int) -> None:
        person = self.customer(pick)
        (self.world.erp.deactivate if person.active else self.world.erp.activate)(person.key)
        person.active, person.retired, person.changed_at = not person.active, True, self.now

    @precondition(lambda self: self.truth.of("customers"))
    @rule(pick=st.integers(0, 99))
    def remove(self, pick: int) -> None:
        person = self.customer(pick)
        self.world.erp.remove(person.key)
        person.gone = True

    @precondition(lambda self: self.truth.of("contacts"))
    @rule(pick=st.integers(0, 99))
    def opt_out(self, pick: int) -> None:
        here = self.truth.of("contacts")
        person = here[pick % len(here)]
        self.world.erp.opt_out(person.key)
        person.opted_out, person.changed_at = True, self.now

    @precondition(lambda self: self.truth.of("customers"))
    @rule(pick=st.integers(0, 99), item=st.integers(0, 2))
    def add_order(self, pick: int, item: int) -> None:
        buyer, number = self.customer(pick), len(self.truth.documents) + 1
        if buyer.address is None or not is_address(buyer.address):
            return
        lines = [(f"ITEM-{item}", number, 50), ("HOSE-1", 1, 20)]
        given = [(product, "Pump", quantity, price) for product, quantity, price in lines]
        key = self.world.erp.add_order(buyer.key, given, email=buyer.address)
        self.truth.documents[key] = Document(number=number, buyer=buyer, lines=lines, changed_at=self.now)

    @precondition(lambda self: any(len(document.lines) > 1 for document in self.truth.documents.values()))
    @rule(pick=st.integers(0, 99))
    def drop_line(self, pick: int) -> None:
        long = [key for key, document in self.truth.documents.items() if len(document.lines) > 1]
        key = long[pick % len(long)]
        self.world.erp.drop_line(key)
        self.truth.documents[key].lines.pop()
        self.truth.documents[key].changed_at = self.now

    # -- the people ----------------------------------------------------------------------------------------------

    def member(self, pick: int) -> tuple[str, Any]:
        """Where one of the records says that a member is, and who is there."""
        everybody = list(self.truth.people.values())
        address = everybody[pick % len(everybody)].address or ""
        return address, self.world.mailchimp.members.get(address)

    @precondition(lambda self: self.truth.people)
    @rule(pick=st.integers(0, 99))
    def unsubscribe(self, pick: int) -> None:
        address, member = self.member(pick)
        if member is not None and member.status == "subscribed":
            self.world.mailchimp.unsubscribe(address)
            self.truth.leave(address, str(member.merge_fields.get("ERPID")))
            self.tell("unsubscribe", address)

    @precondition(lambda self: self.truth.people)
    @rule(pick=st.integers(0, 99))
    def bounce(self, pick: int) -> None:
        address, member = self.member(pick)
        if member is not None and member.status == "subscribed":
            self.world.mailchimp.clean(address)
            self.truth.bounced.add(address)
            self.tell("cleaned", address)

    @precondition(lambda self: self.truth.left)
    @rule(pick=st.integers(0, 99))
    def come_back(self, pick: int) -> None:
        address = sorted(self.truth.left)[pick % len(self.truth.left)]
        if address in self.world.mailchimp.members:
            self.world.mailchimp.confirm(address)
            self.truth.come_back(address)
            self.tell("subscribe", address)

    def tell(self, kind: str, address: str) -> None:
        self.unheard.append(self.world.mailchimp.deliveries.make(HOOK, kind, address, secret=SECRET))
        self.statuses = self.statuses_now()

    @precondition(lambda self: self.unheard)
    @rule(pick=st.integers(0, 99), copies=st.integers(1, 2), keep=st.booleans())
    def deliver(self, pick: int, copies: int, *, keep: bool) -> None:
        """A webhook arrives: late, doubled, and before those that came before it."""
        delivery = self.unheard[pick % len(self.unheard)]
        if not keep:
            self.unheard.remove(delivery)
        self.pass_time()
        events = parse_webhook(delivery.sign(delivery.body, self.now), delivery.body, secret=SECRET, now=self.now)
        for _ in range(copies):
            self.operate(lambda engine: engine.handle(events, wait=0))

    # -- the pipeline --------------------------------------------------------------------------------------------

    @rule(data=st.data(), full=st.booleans(), breaks=BREAKS, mailchimp=troubles(MAILCHIMP_FAULTS), wait=st.booleans())
    def run(self, data: Any, breaks: Any, mailchimp: Any, *, full: bool, wait: bool) -> None:
        self.run_once(data, breaks, mailchimp, full=full, wait=wait)

    def run_once(self, data: Any, breaks: Any, mailchimp: Any, *, full: bool, wait: bool) -> None:
        self.trouble(data, mailchimp)
        self.pass_time(60 * 26 if wait else 15)
        self.operate(lambda engine: engine.run(full=full), breaks)

    @rule(data=st.data(), full=st.booleans(), breaks=BREAKS, mailchimp=troubles(MAILCHIMP_FAULTS), wait=st.booleans())
    def run_again(self, data: Any, breaks: Any, mailchimp: Any, *, full: bool, wait: bool) -> None:
        """Runs are what most steps are about."""
        self.run_once(data, breaks, mailchimp, full=full, wait=wait)

    @rule(data=st.data(), breaks=BREAKS, mailchimp=troubles(MAILCHIMP_FAULTS))
    def replay(self, data: Any, breaks: Any, mailchimp: Any) -> None:
        self.trouble(data, mailchimp)
        self.pass_time(5)
        self.operate(lambda engine: engine.replay(), breaks)

    @rule(data=st.data(), breaks=BREAKS, mailchimp=troubles(MAILCHIMP_FAULTS), full=st.booleans())
    def plan(self, data: Any, breaks: Any, mailchimp: Any, *, full: bool) -> None:
        """Nothing is written by a plan, here or there."""
        self.trouble(data, mailchimp)
        before = self.world.mailchimp.snapshot(), self.kept()
        self.operate(lambda engine: engine.plan(full=full), breaks)
        assert (self.world.mailchimp.snapshot(), self.kept()) == before

    @rule(
        address=st.sampled_from([*ADDRESSES[:5], *FRESH]), kind=st.sampled_from(["schema", "fake", "signups", "server"])
    )
    def poison(self, address: str, kind: str) -> None:
        """Mailchimp refuses whatever concerns an address, until it is cured."""
        self.world.mailchimp.poison(address, kind)
        self.poisoned = True

    @rule()
    def mend(self) -> None:
        for fake in (self.world.erp.fake, self.world.mailchimp):
            fake.faults.clear()
        for address in [*ADDRESSES, *FRESH]:
            self.world.mailchimp.cure(address)
        self.poisoned = False

    def trouble(self, data: Any, mailchimp: list[Trouble]) -> None:
        kinds = ERP_FAULTS[self.system]
        for one in data.draw(troubles(kinds), label="faults of the ERP"):
            one.strike(self.world.erp.fake, kinds)
        for one in mailchimp:
            one.strike(self.world.mailchimp, MAILCHIMP_FAULTS)

    def operate(self, what: Any, breaks: tuple[Break, ...] = ()) -> Any:
        """A process does one thing and ends, or dies of it; its report, if it could still give one."""
        life = Life(breaks)
        state = MortalStore(self.path, life)
        sink = self.world.sink(retry=PATIENCE, concurrency=1)
        source = self.world.erp.source(**self.source_settings)
        engine = self.world.engine(source=source, sink=sink, state=state, policy=self.policy, progress=False)
        report, met = None, None
        with life.lived(self.ports):
            try:
                try:
                    report = what(engine)
                except (TransientError, ContractError, AuthenticationError) as error:
                    report, met = error.report, error
                engine.close()
            except Death:
                # Nobody gave the lease back: it has to run out.
                self.pass_time(3)
        # What changes from now on has a later stamp than all that was read.
        self.pass_time()
        assert met is None or self.is_troubled(life), met
        assert self.is_signed_out or not isinstance(met, AuthenticationError), met
        self.settle(report)
        return report

    def is_troubled(self, life: Life) -> bool:
        fired = any(fault.fired for fake in (self.world.erp.fake, self.world.mailchimp) for fault in fake.faults)
        return fired or life.met > 0 or self.poisoned

    @property
    def is_signed_out(self) -> bool:
        """Sessions ended so fast, one after the other, that a new one was refused as well."""
        return any(fault.fired and fault.meanwhile for fault in self.world.erp.fake.faults)

    def settle(self, report: Any) -> None:
        """What holds after each step; webhooks about what the pipeline itself did are on their way."""
        for fake in (self.world.erp.fake, self.world.mailchimp):
            fake.faults[:] = [fault for fault in fake.faults if fault.nth is None and fault.fired < (fault.times or 0)]
        for stream in report.streams.values() if report is not None else ():
            counts = dict(stream.counts)
            assert counts.pop("read") == sum(counts.values()), stream
            assert sum(stream.reasons.values()) == stream.skipped + stream.dead, stream
        self.check_marks()
        now = self.statuses_now()
        for address in [a for a in now if now[a] == "unsubscribed" and self.statuses.get(a) == "subscribed"]:
            self.tell("unsubscribe", address)
        self.statuses = now

    def statuses_now(self) -> dict[str, str]:
        members = self.world.mailchimp.members
        return {address: members[address].status for address in [*ADDRESSES, *FRESH] if address in members}

    # -- what must hold ------------------------------------------------------------------------------------------

    def kept(self) -> Any:
        """The whole state, as far as a pipeline can tell."""
        state = MortalStore(self.path, Life())
        try:
            streams = ["audience", *self.world.erp.source().streams]
            return (
                [state.mark("acme", stream) for stream in streams],
                [link for stream in streams for link in state.all_links("acme", stream)],
                list(state.dead_letters("acme")),
                state.suppressions("acme", [*ADDRESSES, *FRESH]),
            )
        finally:
            state.close()

    def check_marks(self) -> None:
        """No mark has passed a record that is neither linked as it is now nor set aside."""
        state = MortalStore(self.path, Life())
        try:
            for stream in ("customers", "contacts", "orders"):
                mark = state.mark("acme", stream)
                if mark is None or not isinstance(mark.value, datetime):
                    continue
                links = {link.key: link for link in state.all_links("acme", stream)}
                letters = {letter.key for letter in state.dead_letters("acme", stream=stream)}
                for key, changed_at in self.stamps(stream):
                    if changed_at <= mark.value:
                        assert key in links or key in letters, f"the mark of {stream} has passed {key}"
                for person in self.truth.of(stream):
                    link = links.get(person.key)
                    if link is None or person.key in letters or person.changed_at > mark.value:
                        continue
                    if person.wants_mail and is_address(person.address):
                        assert link.address == person.address, f"the mark of {stream} has passed a change of {link}"
        finally:
            state.close()

    def stamps(self, stream: str) -> list[tuple[str, datetime]]:
        if stream == "orders":
            return [(key, document.changed_at) for key, document in self.truth.documents.items()]
        return [(person.key, person.changed_at) for person in self.truth.of(stream)]

    def strangers_now(self) -> list[Any]:
        members = self.world.mailchimp.snapshot()["members"]
        return [members.get(address) for address in STRANGERS]

    @invariant()
    def nobody_is_mailed_against_their_will(self) -> None:
        for address, why in self.truth.silent():
            member = self.world.mailchimp.members.get(address)
            assert member is None or member.status != "subscribed", f"{address} is subscribed again: {why}"

    @invariant()
    def only_ours_is_touched(self) -> None:
        now = self.strangers_now()
        for fields in (stranger["merge_fields"] for stranger in [*now, *self.strangers]):
            fields.pop("ADDRESS", None)
        assert now == self.strangers

    @invariant()
    def nothing_is_doubled(self) -> None:
        members, orders = self.world.mailchimp.members, self.world.mailchimp.orders
        contacts = [member.contact_id for member in members.values()]
        assert len(contacts) == len(set(contacts))
        assert len(orders) <= len(self.truth.documents)

    # -- the end -------------------------------------------------------------------------------------------------

    def teardown(self) -> None:
        with self.cleanup:
            if sys.exc_info()[1] is not None:
                return
            self.mend()
            self.come_to_rest()
            faults = list(self.truth.audience_faults(self.world.mailchimp.members))
            faults += self.truth.store_faults(self.world.mailchimp.orders, self.world.mailchimp.customers)
            assert not faults, "; ".join(faults)
            self.nobody_is_mailed_against_their_will()
            self.only_ours_is_touched()

    def come_to_rest(self) -> None:
        """With all faults over: run and replay until nothing is written any more, which must be soon."""
        for _ in range(MOST_ROUNDS):
            before = len(self.world.mailchimp.writes)
            for what in (lambda engine: engine.run(full=True), lambda engine: engine.replay()):
                self.pass_time(60)
                report = self.operate(what)
                assert not any(stream.error for stream in report.streams.values()), report
            if len(self.world.mailchimp.writes) == before:
                break
        else:
            raise AssertionError("runs still write, round after round")
        bad = {key for key, person in self.truth.people.items() if not person.been.issuperset(map(str, person.trail))}
        letters = MortalStore(self.path, Life())
        assert {(letter.stream, letter.key) for letter in letters.dead_letters("acme")} <= bad
        letters.close()


def storm_over(system: str, *, examples: int, **options: Any) -> Any:
    """The test case of one ERP."""
    name = "".join(part.capitalize() for part in system.split())
    machine: Any = type(f"Storm{name}", (Storm,), {"system": system, "options": options, "__module__": __name__})
    case: Any = machine.TestCase
    case.settings = settings(
        max_examples=examples, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
    )
    return case


# Whoever dies does not log off; the ERP has room for those whose session has not expired yet.
TestStormOverAcumatica = storm_over(
    "acumatica", examples=6, seats=1000, client_id=CLIENT_ID, client_secret=CLIENT_SECRET
)
TestStormOverSage300 = storm_over("sage300", examples=4)
TestStormOverSage100 = storm_over("sage100 agent", examples=4)
TestStormOverSyspro = storm_over("syspro odata", examples=3)
