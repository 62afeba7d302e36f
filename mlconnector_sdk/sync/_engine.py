"""The engine: what people call. It checks, plans, runs and replays one pipeline."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Literal, Self

import attrs

from .._stopping import StopRequest, StopWaiting, stoppable
from ..errors import ConfigurationError, MLConnectorError, TransientError
from ..events import Event, RunFinished, RunStarted, Waiting
from ..mapping import Mapping as RecordMapping
from ..models import (
    STREAMS,
    CheckResult,
    EngagementRow,
    Erasure,
    StreamName,
    WebhookEvent,
)
from ..policy import SyncPolicy
from ..progress import shown_progress
from ..protocols import (
    BatchingSink,
    Clock,
    FlaggingSource,
    KeyedSource,
    Progress,
    Sink,
    Source,
    StateStore,
    SystemClock,
    Vault,
)
from ..retry import RetryPolicy
from ._activity import ActivitySource, people_streams
from ._books import PipelineBooks
from ._drift import ReconcileReport
from ._engagement import KEPT_UP_WITH, READ_AGAIN, engagement_rows
from ._erase import erase
from ._flags import FLAGS
from ._handle import handle_events
from ._lease import lease_within
from ._plan import ForetellingSink, StateOverlay
from ._reconcile import Reconciliation
from ._replay import Replay, streams_to_replay
from ._report import Checks, Operation, Report
from ._run import Parts, Run
from ._selection import Selection
from ._sweep import Sweep, SweepReport, dormancy

__all__ = ["SyncEngine"]

log = logging.getLogger("mlconnector_sdk.sync")


class SyncEngine(PipelineBooks):
    """One pipeline: a source, a sink, and the state between them.

    Args:
        source: where records come from.
        sink: where they go.
        state: what must survive; one store serves many pipelines.
        name: the pipeline's name; state is kept under it, so keep it stable.
        mapping: how records become members and orders.
        policy: the caller's decisions about people and documents.
        retry: replaces the retry policies of source and sink, when given.
        on_event: called with every event; must not raise.
        progress: a display; `None` shows one on a terminal or in a notebook, `False` never.
        clock: tells the time of audit entries and leases.

    The engine closes source, sink and state on the way out of its `with` block.

    Raises:
        ConfigurationError: the parts do not fit together.
    """

    def __init__(
        self,
        source: Source,
        sink: Sink,
        *,
        state: StateStore,
        name: str,
        mapping: RecordMapping | None = None,
        policy: SyncPolicy | None = None,
        retry: RetryPolicy | None = None,
        on_event: Callable[[Event], None] | None = None,
        progress: Progress | Literal[False] | None = None,
        clock: Clock | None = None,
    ) -> None:
        if not name.strip():
            raise ConfigurationError("name: a pipeline needs a name")
        self._on_event = on_event
        self._progress = progress
        self._display: Progress | None = None
        self._stop = StopRequest()
        self._job_id = ""
        self._parts = Parts(
            source=source,
            sink=sink,
            state=state,
            name=name,
            mapping=mapping or RecordMapping(),
            policy=policy or SyncPolicy(),
            store=sink.store,
            clock=clock or SystemClock(),
            announce=self._announce,
            flagging=_flagging(source) if policy is not None and policy.on_unsubscribe == "flag_source" else None,
            batching=sink if isinstance(sink, BatchingSink) else None,
        )
        if isinstance(source, KeyedSource):
            source.attach_keys(lambda stream: (link.key for link in state.all_links(name, stream)))
        for part in (source, sink):
            part.attach(retry=retry, on_wait=self._waiting, clock=self._parts.clock)

    @classmethod
    def from_config(
        cls,
        config: Mapping[str, Any] | str,
        *,
        secrets: Callable[[str], str] | Mapping[str, str] | Vault | None = None,
        **overrides: Any,
    ) -> SyncEngine:
        """An engine from a plain dict or TOML text, so that any worker on any machine can build the same one.

        Args:
            config: see `mlconnector_sdk.config.PipelineConfig`.
            secrets: resolves references the library does not know, or the secrets by reference, or the vault of those
                that begin with `vault:`.
            overrides: further arguments of `SyncEngine`, for what no config can hold (`on_event`, `clock`, …).

        Raises:
            ConfigurationError: every mistake at once, a line each, as `path: problem`.
        """
        from ..config import build_parts

        return cls(**{**build_parts(config, secrets=secrets), **overrides})

    @property
    def name(self) -> str:
        """The pipeline's name."""
        return self._parts.name

    def __repr__(self) -> str:
        parts = self._parts
        return f"<SyncEngine {parts.name}: {parts.source.system} -> {parts.sink.system}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Log off everywhere and release the state; harmless when repeated."""
        for part in (self._parts.source, self._parts.sink, self._parts.state):
            try:
                part.close()
            except MLConnectorError as error:
                log.warning("closing failed: %s", error.reason)

    def check(self) -> Checks:
        """Try everything a run needs, write nothing, and say what is wrong with its cure. Never raises."""
        parts = self._parts
        rows = [self._check_state()]
        rows += parts.source.check()
        rows += parts.sink.check(
            parts.mapping.wanted_fields(),
            interests=parts.mapping.wanted_interests(),
            permissions=parts.mapping.wanted_permissions(),
        )
        return Checks(rows)

    def _check_state(self) -> CheckResult:
        try:
            mark = self._parts.state.mark(self._parts.name, STREAMS[0])
            # Payloads sealed with another key show here, before they do in the middle of a run.
            next(self._parts.state.dead_letters(self._parts.name), None)
        except MLConnectorError as error:
            return CheckResult(
                system="state", what="store", ok=False, detail=error.message, cure="check path, rights and database"
            )
        known = "this pipeline has run before" if mark else "this pipeline has not run yet"
        return CheckResult(system="state", what="store", ok=True, detail=known)

    def plan(self, streams: Iterable[str] | None = None, *, full: bool = False) -> Report:
        """What `run` would do, found by reading and comparing on the same path; writes nothing anywhere."""
        chosen = self._chosen(streams)
        with self._job("plan", chosen) as report, self._foretelling(report) as run:
            run.prepare()
            run.poll(chosen, full=full)
        return report

    def run(
        self,
        streams: Iterable[str] | None = None,
        *,
        full: bool = False,
        allow_mass_leave: bool = False,
        wait: float = 0.0,
    ) -> Report:
        """One poll of every stream, or of those named.

        Args:
            full: read everything, not only changes; what is unchanged is still not sent.
            allow_mass_leave: confirms that more than `policy.most_leaving` of a stream's members shall leave at once.
                Without it such a stream is stopped, and stays so until it is confirmed or the ERP says otherwise.
            wait: seconds to wait while another run of this pipeline is under way.

        Raises:
            LeaseHeldError: another run of this pipeline is under way, even after so long.
            AuthenticationError, ConfigurationError: nothing can be done before somebody mends it.
            TransientError: a system is down or overloaded beyond the retry policy; call again later.
            StateError: the state store failed.

            Whatever was committed before stays, and `error.report` holds the counts so far.
        """
        chosen = self._chosen(streams)
        with self._job("run", chosen) as report, self._running(report, wait) as run:
            run.prepare()
            run.poll(chosen, full=full, allow_mass_leave=allow_mass_leave)
        return report

    def replay(
        self,
        *,
        stream: str | None = None,
        keys: Sequence[str] | None = None,
        reason: str | None = None,
        run: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        wait: float = 0.0,
    ) -> Report:
        """Dead letters again, all of them or those chosen, and whole records by key, as with a first load.

        The ERP's present data are used where it still has the record, else the payload that was set aside: the report's
        `fresh` and `kept` count them, the audit's `replayed` tells of each. What succeeds is settled, what fails stays
        with one more attempt.

        Keys alone, or with a stream, name records whether they are set aside or not: each is read from the ERP now and
        written, changed or not, by the same mapping, policy and consent as ever, so nobody who left is brought back. A
        record that the ERP does not have is skipped as `not_found`, and what was loaded of it stays as it is.

        Args:
            stream: without it, keys are sought wherever they have been met.
            reason: only what was set aside for this.
            run: the `job_id` of a run: only what it set aside, or tried last.
            since, until: aware times: only what was set aside, or tried last, at or after the one and before the other.
            wait: seconds to wait while another run of this pipeline is under way.

        Raises:
            ConfigurationError: also for an unknown stream, a key that no stream has met, or a time without zone.
            LeaseHeldError, AuthenticationError, TransientError, StateError: as `run`.
        """
        selection = Selection(stream=stream, keys=keys, reason=reason, run=run, since=since, until=until)
        if stream not in {None, FLAGS}:
            self._chosen(stream)
        chosen = streams_to_replay(self._parts, selection)
        with self._job("replay", tuple(chosen)) as report, self._running(report, wait) as job:
            job.prepare()
            Replay(job, report, selection).carry_out(chosen)
        return report

    def sweep(
        self,
        *,
        dormant_after: timedelta | float,
        streams: Iterable[str] | None = None,
        activity: ActivitySource | None = None,
        plan: bool = False,
        allow_mass_leave: bool = False,
        wait: float = 0.0,
    ) -> SweepReport:
        """Take members off whose customer has been quiet for long, as `policy.dormant` says, and let others back in.

        The ERP is read whole. A customer's last business is the later of its record's date and its latest order that
        was loaded; a contact does business through its customer. Where records share an address, the latest of them
        counts, and nobody leaves of whom nothing is known. Repeating a sweep changes nothing.

        Args:
            dormant_after: how long is long: a timedelta, or seconds; a day at least.
            streams: whose members may leave; all people by default.
            activity: tells from a record when the ERP last did business with it, in place of its own date; gives a
                date, or `None` for "not known".
            plan: only say who would leave and why, and write nothing.
            allow_mass_leave: confirms that more than `policy.most_leaving` of the members shall leave at once.
            wait: seconds to wait while another run of this pipeline is under way.

        Raises:
            ConfigurationError: nothing tells when the last business was: `activity` can.
            LeaseHeldError, AuthenticationError, TransientError, FatalError, StateError: as `run`; an ERP that cannot be
                read whole takes nobody off.
        """
        span = dormancy(dormant_after)
        chosen: list[StreamName] = [stream for stream in self._chosen(streams) if stream != "orders"]
        with (
            self._job("sweep", chosen, SweepReport) as report,
            self._foretelling(report) if plan else self._running(report, wait) as run,
        ):
            assert isinstance(report, SweepReport)
            report.planned, report.before = plan, (report.started_at - span).date()
            run.prepare()
            Sweep(run, report, tells=activity, allow_mass_leave=allow_mass_leave).carry_out(chosen)
        return report

    def reconcile(self, *, repair: bool = False, allow_mass_leave: bool = False, wait: float = 0.0) -> ReconcileReport:
        """Compare the whole audience, every link and the ERP's records, and say where they differ.

        Args:
            repair: mend what is ours: members that are missing or name another record are written as the ERP has them
                now, deleted records' members leave as `policy.inactive` says, statuses that the state did not know are
                taken over. Members without an ERP record are never touched. Without it nothing is written.
            allow_mass_leave: confirms that more than `policy.most_leaving` of the members shall leave at once.
            wait: seconds to wait while another run of this pipeline is under way.

        Raises:
            LeaseHeldError, AuthenticationError, TransientError, FatalError, StateError: as `run`; while a side cannot
                be read whole nothing is mended.
        """
        people = people_streams(self._parts.source)
        with (
            self._job("reconcile", people, ReconcileReport) as report,
            self._running(report, wait) if repair else self._foretelling(report) as run,
        ):
            assert isinstance(report, ReconcileReport)
            report.repaired = repair
            run.prepare()
            Reconciliation(run, report, repair=repair, allow_mass_leave=allow_mass_leave).carry_out()
        return report

    def handle(self, event: WebhookEvent | Iterable[WebhookEvent], *, wait: float = 5.0) -> Report:
        """Take in what a webhook told: suppress who left, move links to new addresses, tell the ERP by policy.

        Each event counts once, however often and in whatever order it is delivered. Nothing is written to Mailchimp,
        and nobody is subscribed by an event.

        Args:
            wait: seconds to wait while a run of this pipeline is under way; Mailchimp expects an answer within ten.

        Raises:
            LeaseHeldError: the run is still under way. Answer the delivery with an error, so that it comes again.
            StateError: the state store failed; what was committed before stays, and the rest is safe to deliver again.
        """
        events = [event] if isinstance(event, WebhookEvent) else list(event)
        return handle_events(self._parts, events, wait=wait)

    def erase(self, email: str, *, reason: str, wait: float = 5.0) -> Erasure:
        """Remove a person: from the audience and the store for good, and from what this pipeline keeps.

        The address stays suppressed for ever, as a hash by which it is known again; the ERP's record stays out, even
        with another address. Repeat it after an error: it takes up what is left, and in the end nothing is found.

        Args:
            reason: why, for the audit: the number of the request, say. It must not name the person.
            wait: seconds to wait while a run of this pipeline is under way.

        Raises:
            ConfigurationError: this is no e-mail address, or the reason names it.
            LeaseHeldError: a run is still under way.
            RecordError, TransientError, FatalError: Mailchimp could not delete; the address is suppressed already.
            StateError: the state store failed.
        """
        return erase(self._parts, email, reason=reason, wait=wait)

    def stop(self) -> None:
        """Ask the run under way to end at its next checkpoint; the run after it goes on from there.

        A pause before another try, or for a lease, ends at once. The report says `stopped`. May be called from any
        thread or signal handler. While no run is under way, the next one is stopped.
        """
        self._stop.set()

    def engagement(
        self,
        since: datetime | None = None,
        *,
        kept_up_with: timedelta | float = KEPT_UP_WITH,
        read_again: timedelta | float = READ_AGAIN,
    ) -> Iterator[EngagementRow]:
        """What people did with campaigns, each row joined to the ERP records behind the address.

        Without `since`, each call goes on where the one before ended: a campaign counts as read when the caller took
        its last row and asks for the next. Every row is given at least once; rows of a reading that was broken off, and
        those of the last minutes before a reading, come again with the same `id`.

        Args:
            since: give what happened at or after this aware time instead; how far was read is left as it is.
            kept_up_with: campaigns sent longer ago are no longer asked for: a timedelta, or seconds.
            read_again: how far a reading steps back, for what shows late.

        Raises:
            ConfigurationError: at once, for a sink that tells nothing of campaigns, or a time without zone.
            AuthenticationError, TransientError, FatalError, StateError: as `run`, while the rows are read.
        """
        return engagement_rows(self._parts, since, kept_up_with=kept_up_with, read_again=read_again)

    def _chosen(self, streams: Iterable[str] | None) -> tuple[StreamName, ...]:
        offered: list[StreamName] = [name for name in STREAMS if name in self._parts.source.streams]
        if streams is None:
            return tuple(name for name in offered if name != "orders" or self._parts.store is not None)
        wanted = {streams} if isinstance(streams, str) else set(streams)
        if unknown := wanted - set(offered):
            raise ConfigurationError(
                f"streams: {self._parts.source.system} has no {', '.join(sorted(unknown))}; it has {', '.join(offered)}"
            )
        return tuple(name for name in offered if name in wanted)

    @contextmanager
    def _running(self, report: Report, wait: float) -> Iterator[Run]:
        parts = self._parts
        with lease_within(wait, parts.state, parts.name, clock=parts.clock) as lease:
            run = Run(parts, report, lease.commit, self._stop)
            try:
                yield run
            finally:
                run.close()

    @contextmanager
    def _foretelling(self, report: Report) -> Iterator[Run]:
        """A run on the same path that writes nothing anywhere, and so needs no lease."""
        parts = self._parts
        overlay = StateOverlay(parts.state)
        parts = attrs.evolve(parts, sink=ForetellingSink(parts.sink), state=overlay, flagging=None, batching=None)
        run = Run(parts, report, overlay.commit, self._stop)
        try:
            yield run
        finally:
            run.close()

    @contextmanager
    def _job(self, operation: Operation, streams: Sequence[str], kind: type[Report] = Report) -> Iterator[Report]:
        """Announce a job, count its requests and time, and hand its report to whoever catches its error."""
        parts = self._parts
        began = parts.clock.now()
        job_id = f"{began:%Y%m%dT%H%M%SZ}-{uuid.uuid4().hex[:6]}"
        report = kind(operation=operation, pipeline=parts.name, job_id=job_id, started_at=began)
        before = self._requests()
        started = parts.clock.monotonic()
        self._display = self._chosen_display()
        self._announce(RunStarted(pipeline=parts.name, job_id=job_id, operation=operation, streams=tuple(streams)))
        ok = False
        try:
            with stoppable(self._stop.is_set):
                yield report
            ok = report.ok
        except StopWaiting:
            report.stopped = True
        except MLConnectorError as error:
            error.report = report
            raise
        finally:
            report.seconds = parts.clock.monotonic() - started
            report.requests = {system: count - before[system] for system, count in self._requests().items()}
            self._announce(RunFinished(pipeline=parts.name, job_id=job_id, ok=ok, seconds=report.seconds))
            if self._display is not None:
                self._display.close()
            self._stop.clear()

    def _chosen_display(self) -> Progress | None:
        if self._progress is None:
            return shown_progress()
        return None if isinstance(self._progress, bool) else self._progress

    def _requests(self) -> dict[str, int]:
        parts = self._parts
        return {parts.source.system: parts.source.request_count, parts.sink.system: parts.sink.request_count}

    def _waiting(self, system: str, operation: str, error: TransientError, seconds: float, tries: int) -> None:
        self._announce(Waiting(system=system, operation=operation, seconds=seconds, reason=error.reason, attempt=tries))

    def _announce(self, event: Event) -> None:
        for listener in (self._display, self._on_event):
            if listener is None:
                continue
            try:
                listener(event)
            except Exception:  # a listener's bug must not cost a record
                log.exception("an event listener failed on %s", type(event).__name__)


def _flagging(source: Source) -> FlaggingSource:
    """The source, as one that tells its ERP who unsubscribed."""
    if not isinstance(source, FlaggingSource) or not source.flagged_streams:
        raise ConfigurationError(
            f'policy: on_unsubscribe="flag_source" needs a source that can; {source.system} cannot as it is set up'
        )
    return source
