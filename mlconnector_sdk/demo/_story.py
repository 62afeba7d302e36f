"""The story the demo tells, step by step, and what must hold at each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

from ..errors import MappingError
from ..mailchimp import MailchimpSink
from ..mapping import split_emails
from ..models import Customer, DeadLetter, Order, Record, Store
from ..protocols import Source
from ..state import SQLiteStateStore
from ..sync import Report, SyncEngine
from ..testing import FakeMailchimp
from ._erps import DemoClock, SimulatedERP
from ._paper import line, say, show, table

__all__ = ["Demo", "NotAsPromisedError"]

LOOKS_FAKE = "purchasing@example.com"
"""An address that is well formed and that Mailchimp refuses all the same, as it does every reserved domain."""


class NotAsPromisedError(Exception):
    """The demo did not show what it promises; the text says what should have held."""


class Demo:
    """One run of the demo, step by step.

    Args:
        erp: the simulated ERP, not yet started.
        clock: the time of both far systems and of the engine.
        database: where the state is kept; the file must not exist.
        latency: seconds that each answer of Mailchimp takes.
    """

    def __init__(self, erp: SimulatedERP, *, clock: DemoClock, database: Path, latency: float = 0.0) -> None:
        self.erp = erp
        self.clock = clock
        self.database = database
        self.mailchimp = FakeMailchimp(clock=clock, latency=latency)
        self.step = "the beginning"
        self.held = 0
        self._steps = 0

    def play(self, on_start: Callable[[Demo], object] | None = None) -> None:
        """Start both systems, show every step, and stop them again.

        Args:
            on_start: called once both systems answer and before anything is read, for those who want to watch the far
                systems or to disturb them.

        Raises:
            NotAsPromisedError: something did not hold.
            MLConnectorError: a run ended early.
        """
        with ExitStack() as stack:
            stack.enter_context(self.erp.fake)
            stack.enter_context(self.mailchimp)
            if on_start is not None:
                on_start(self)
            self._say_what_there_is()
            source = self.erp.source()
            self._tell(stack.enter_context(self._engine(source)), source)

    def _engine(self, source: Source) -> SyncEngine:
        """What an integration would write, but for the clock."""
        sink = MailchimpSink(
            self.mailchimp.api_key,
            list_id=self.mailchimp.list_id,
            store=Store(id="acme", name="Acme", currency_code="USD"),
            base_url=self.mailchimp.base_url,
        )
        return SyncEngine(source, sink, state=SQLiteStateStore(self.database), name="demo", clock=self.clock)

    def _tell(self, engine: SyncEngine, source: Source) -> None:
        self._check(engine)
        foretold = self._plan(engine)
        self._first_load(engine, source, foretold)
        self._second_run(engine)
        renamed, moved, leaving = self._ordinary_customers(engine, source)
        self._changed_poll(engine, renamed, moved)
        self._unsubscribe(engine, leaving)
        failed = self._failing_record(engine)
        self._replay(engine, source, failed)
        self._trail(engine, failed)

    # The steps

    def _say_what_there_is(self) -> None:
        counts = ", ".join(f"{number} {stream}" for stream, number in self.erp.counts().items())
        line("Two simulated systems answer on this machine; the sync between them is the real one.\n")
        rows = [
            (self.erp.title, self.erp.fake.url, counts),
            ("Mailchimp", self.mailchimp.url, "an empty audience"),
        ]
        line(table(("system", "address", "holds"), rows))

    def _check(self, engine: SyncEngine) -> None:
        self._begin(
            "Check", "Do both systems answer, with the rights a sync needs? What is wrong is named with its cure."
        )
        checks = engine.check()
        show(checks)
        self._expect(checks.ok, "every check passed")

    def _plan(self, engine: SyncEngine) -> Report:
        self._begin("Plan", "What would a run do? Everything is read and compared, nothing is written.")
        plan = engine.plan()
        show(plan)
        self._expect(not self.mailchimp.writes, "planning wrote nothing to Mailchimp")
        return plan

    def _first_load(self, engine: SyncEngine, source: Source, foretold: Report) -> None:
        self._begin(
            "First load",
            "Now for real. The sample is as untidy as ERPs are. Whoever opted out, left or has no address is skipped; "
            "an address that several records share becomes one member; what is no address at all is set aside as a "
            "dead letter, and its invoices with it. NOT OK means no more than that: somebody should look.",
        )
        report = engine.run()
        show(report)
        if letters := engine.dead_letters():
            show(_by_reason(letters))
        self._adds_up(report)
        read = {name: stream.read for name, stream in report.streams.items()}
        self._expect(read == self.erp.counts(), "every record of the ERP was read")
        created = {name: stream.created for name, stream in report.streams.items()}
        planned = {name: stream.created for name, stream in foretold.streams.items()}
        self._expect(created == planned, "it created exactly what the plan had foretold")
        missing = [key for key, addresses in _mailable(source) if addresses[0] not in self.mailchimp.members]
        self._expect(not missing, "every customer with a usable address is a member")
        self._expect(
            len(self.mailchimp.orders) == report.streams["orders"].created, "the store has every order that was loaded"
        )
        store = self.mailchimp.stores["acme"]
        self._expect(not store.settings.get("is_syncing"), "the store's automations are awake again")

    def _second_run(self, engine: SyncEngine) -> None:
        self._begin("Second run", "An hour later nothing has changed. To prove the point the whole ERP is read again.")
        self.clock.advance(hours=1)
        with self.mailchimp.recording() as calls:
            report = engine.run(full=True)
        show(report)
        self._adds_up(report)
        self._expect(not any(call.is_write for call in calls), "no write call reached Mailchimp")

    def _changed_poll(self, engine: SyncEngine, renamed: str, moved: str) -> None:
        self._begin(
            "Changes in the ERP",
            f"{renamed} gets another name, {moved} another address; a customer is new, and is invoiced at once. "
            "A run now asks only for what changed.",
        )
        self.clock.advance(hours=1)
        waiting = len(engine.dead_letters())
        before = self.mailchimp.members[self._address_of(engine, moved)]
        self.erp.rename(renamed, "Saltmarsh & Daughters Ltd")
        self.erp.set_email(moved, "frontdesk@saltmarsh-moved.com")
        new = self.erp.add_customer("Juniper Press", "hello@juniper-press-new.com")
        order = self.erp.add_invoice(new)
        self.clock.advance(minutes=10)
        report = engine.run()
        show(report)
        self._adds_up(report)
        self._expect(len(engine.dead_letters()) == waiting, "nothing more was set aside")
        name = self.mailchimp.members[self._address_of(engine, renamed)].merge_fields["COMPANY"]
        self._expect(name == "Saltmarsh & Daughters Ltd", f"the member of {renamed} has the new name")
        after = self.mailchimp.members.get("frontdesk@saltmarsh-moved.com")
        self._expect(
            after is before and self._address_of(engine, moved) == "frontdesk@saltmarsh-moved.com",
            f"the member of {moved} moved to the new address and kept its history",
        )
        self._expect("hello@juniper-press-new.com" in self.mailchimp.members, "the new customer is a member")
        stored = [link.target for link in engine.lookup(key=order)]
        self._expect(stored[0] in self.mailchimp.orders, f"the store has {order}")

    def _unsubscribe(self, engine: SyncEngine, leaving: str) -> None:
        self._begin(
            "An unsubscribe comes back",
            f"The member of {leaving} clicks on unsubscribe in a newsletter. In the ERP the same customer is changed, "
            "which must not bring the subscription back.",
        )
        self.clock.advance(hours=1)
        address = self._address_of(engine, leaving)
        self.mailchimp.unsubscribe(address)
        self.erp.rename(leaving, "Fernhollow Group")
        self.clock.advance(minutes=10)
        report = engine.run()
        show(report)
        self._adds_up(report)
        member = self.mailchimp.members[address]
        self._expect(report.suppressed == 1, "the run learned of the unsubscribe before it wrote anything")
        self._expect(member.status == "unsubscribed", f"{leaving} is still unsubscribed")
        self._expect(member.merge_fields["COMPANY"] == "Fernhollow Group", "its name was kept right all the same")

    def _failing_record(self, engine: SyncEngine) -> str:
        self._begin(
            "A record that fails",
            f"A new customer has the address {LOOKS_FAKE}. It is well formed, but Mailchimp refuses it. The record "
            "is set aside with its reason and data; nobody else is held up, and it is not sent again until it changes.",
        )
        self.clock.advance(hours=1)
        failed = self.erp.add_customer("Copperlane Tools", LOOKS_FAKE)
        fine = self.erp.add_customer("Brightfen Dairy", "milk@brightfen-new.com")
        self.clock.advance(minutes=10)
        report = engine.run(["customers"])
        with self.mailchimp.recording() as calls:
            engine.run(["customers"], full=True)
        show(report)
        letters = engine.dead_letters(stream="customers", keys=[failed])
        show(_by_reason(letters))
        self._adds_up(report)
        self._expect(len(letters) == 1, f"{failed} waits as a dead letter")
        self._expect("milk@brightfen-new.com" in self.mailchimp.members, f"{fine}, in the same batch, went through")
        self._expect(not any(call.is_write for call in calls), "a further run did not send it again")
        return failed

    def _replay(self, engine: SyncEngine, source: Source, failed: str) -> None:
        cured = {failed: "desk@copperlane-cured.com"}
        # Of the records that were set aside on the first day, one is mended as well.
        cured |= dict.fromkeys(_mended_first(engine, source)[:1], "office@windmere-cured.com")
        self._begin(
            "Cure and replay",
            f"In the ERP {' and '.join(cured)} get a proper address. A replay loads every dead letter again, as the "
            "ERP has it now. What is mended is settled, invoices included; what is not stays, with one more attempt.",
        )
        before = len(engine.dead_letters())
        for key, email in cured.items():
            self.erp.set_email(key, email)
        report = engine.replay()
        show(report)
        self._adds_up(report)
        left = engine.dead_letters()
        self._expect(not cured.keys() & {letter.key for letter in left}, "the mended records are settled")
        self._expect(all(email in self.mailchimp.members for email in cured.values()), "they are members now")
        settled = sum(stream.read - stream.dead for stream in report.streams.values())
        self._expect(before - settled == len(left), "every other dead letter is still there")
        self._expect(all(letter.attempts == 2 for letter in left), "and counts two attempts")

    def _trail(self, engine: SyncEngine, key: str) -> None:
        self._begin(
            "Look-up and audit", f"Who stands behind an address, and what was ever done with {key}? Both are kept."
        )
        found = engine.lookup(email="desk@copperlane-cured.com")
        show(table(("stream", "record", "state"), [(link.stream, link.key, link.state) for link in found]))
        trail = [entry for entry in engine.audit(source_key=key) if entry.stream == "customers"]
        rows = [(f"{e.at:%Y-%m-%d %H:%M}", e.job_id, e.outcome, e.reason or "-") for e in trail]
        show(table(("when (UTC)", "job", "outcome", "reason"), rows))
        self._expect([link.key for link in found] == [key], f"the address leads to {key}")
        self._expect([entry.outcome for entry in trail] == ["dead", "created"], "the audit tells the whole story")
        left = len(engine.dead_letters())
        members, orders = len(self.mailchimp.members), len(self.mailchimp.orders)
        line()
        say(
            f"Done: {members} members and {orders} orders in Mailchimp, {left} dead letters left for somebody to mend; "
            f"{self.held} expectations held."
        )
        say(f"The state, with links, dead letters and audit, lies in {self.database}")

    # What the steps share

    def _begin(self, title: str, text: str) -> None:
        self._steps += 1
        self.step = f"{self._steps}. {title}"
        line(f"\n{self.step}\n{'-' * len(self.step)}")
        say(text)
        line()

    def _expect(self, condition: object, promise: str) -> None:
        if not condition:
            raise NotAsPromisedError(promise)
        self.held += 1
        line(f"  as promised: {promise}")

    def _adds_up(self, report: Report) -> None:
        counts = [stream.counts for stream in report.streams.values()]
        added = all(c["read"] == sum(c.values()) - c["read"] for c in counts)
        self._expect(added, "the numbers add up")

    def _address_of(self, engine: SyncEngine, customer: str) -> str:
        return next(link.address for link in engine.lookup(key=customer) if link.stream == "customers")

    def _ordinary_customers(self, engine: SyncEngine, source: Source) -> list[str]:
        """Three customers that speak, alone, for a subscribed member; those with plain keys first."""
        found: list[str] = []
        for key in sorted((key for key, _ in _mailable(source)), key=lambda key: not key.isalnum()):
            address = self._address_of(engine, key)
            alone = [link.key for link in engine.lookup(email=address)] == [key]
            if alone and self.mailchimp.members[address].status == "subscribed":
                found.append(key)
            if len(found) == 3:
                return found
        raise NotAsPromisedError("the sample has three ordinary customers to go on with")


def _is_mailable(record: Record) -> bool:
    return isinstance(record, Customer) and record.status != "inactive" and not record.opted_out


def _mailable(source: Source) -> Iterator[tuple[str, list[str]]]:
    """Customers that the ERP has as active, did not opt out and have a usable address, with their addresses."""
    for page in source.read("customers"):
        for customer in page.records:
            if not _is_mailable(customer):
                continue
            with suppress(MappingError):
                if addresses := list(split_emails(customer.email)):
                    yield customer.key, addresses


def _mended_first(engine: SyncEngine, source: Source) -> list[str]:
    """Customers without a usable address that could be mailed if they had one; those with invoices first."""
    letters = engine.dead_letters(stream="customers", reason="bad_email")
    keys = [letter.key for letter in letters if _is_mailable(source.parse("customers", letter.payload))]
    orders = [source.parse("orders", d.payload) for d in engine.dead_letters(stream="orders", reason="bad_email")]
    invoiced = {order.customer_key for order in orders if isinstance(order, Order)}
    return sorted(keys, key=lambda key: key not in invoiced)


def _by_reason(letters: Iterable[DeadLetter]) -> str:
    """How many of each stream and reason, with the first record as an example."""
    groups: dict[tuple[str, str], list[DeadLetter]] = {}
    for letter in letters:
        groups.setdefault((letter.stream, letter.reason), []).append(letter)
    return "\n".join(
        f"set aside: {len(found)} x {reason} among {stream}, such as {found[0].key}:\n  {found[0].message}"
        for (stream, reason), found in groups.items()
    )
