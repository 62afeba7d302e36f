"""What a pipeline has kept, for people and programs: to look up, to take away, and to prune."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from ..errors import ConfigurationError
from ..models import STREAMS, AuditEntry, DeadLetters, Link, Pruned
from ._export import Target, write_jsonl
from ._receipts import KEPT, LAST_WORD, RECEIPT
from ._run import Parts
from ._selection import Selection

__all__ = ["PipelineBooks"]


class PipelineBooks:
    """The base of `SyncEngine` that reads and tidies what the state keeps; none of it disturbs a run under way."""

    _parts: Parts

    def dead_letters(
        self,
        *,
        stream: str | None = None,
        keys: Sequence[str] | None = None,
        reason: str | None = None,
        run: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> DeadLetters:
        """The records that were set aside; each condition narrows them down.

        Args:
            run: the `job_id` of a run that set the record aside, or tried it last.
            since, until: aware times: set aside, or tried last, at or after the one and before the other.

        Raises:
            ConfigurationError: a time without zone.
        """
        chosen = Selection(stream=stream, keys=keys, reason=reason, run=run, since=since, until=until)
        return DeadLetters(chosen.letters(self._parts.state, self._parts.name))

    def audit(
        self, *, source_key: str | None = None, stream: str | None = None, job_id: str | None = None
    ) -> list[AuditEntry]:
        """What was done with a record, or in a run, oldest first."""
        return list(self._parts.state.audit(self._parts.name, stream=stream, key=source_key, job_id=job_id))

    def lookup(self, *, key: str | None = None, email: str | None = None) -> tuple[Link, ...]:
        """What an ERP key became, one link per stream that has it, or which ERP records stand behind an address.

        A link of a member tells its address, its id there (`target`), and the `contact_id` that stays when the address
        changes.

        Raises:
            ConfigurationError: not exactly one of the two was given.
        """
        state, name = self._parts.state, self._parts.name
        if (email is None) == (key is None):
            raise ConfigurationError("lookup: give either key= or email=")
        if email is not None:
            address = email.strip().lower()
            return state.links_to(name, [address]).get(address, ())
        assert key is not None
        found = (state.links(name, stream, [key]).get(key) for stream in STREAMS)
        return tuple(link for link in found if link is not None)

    def export_audit(
        self,
        target: Target,
        *,
        source_key: str | None = None,
        stream: str | None = None,
        job_id: str | None = None,
    ) -> int:
        """Write audit entries as JSON lines, oldest first, without holding them all; returns how many.

        Args:
            target: a path, whose file is made anew and readable by its owner only; or an open text file.

        Raises:
            ConfigurationError: the file cannot be made.
            StateError: the state store failed; what was written so far stays.
        """
        entries = self._parts.state.audit(self._parts.name, stream=stream, key=source_key, job_id=job_id)
        return write_jsonl(entries, target)

    def export_dead_letters(
        self,
        target: Target,
        *,
        stream: str | None = None,
        keys: Sequence[str] | None = None,
        reason: str | None = None,
        run: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> int:
        """Write dead letters, payloads included, as `export_audit` writes the audit; chosen as by `dead_letters`.

        The payloads are in the clear, even where the state store keeps them sealed.
        """
        chosen = Selection(stream=stream, keys=keys, reason=reason, run=run, since=since, until=until)
        return write_jsonl(chosen.letters(self._parts.state, self._parts.name), target)

    def prune(self, *, older_than: timedelta | float) -> Pruned:
        """Remove audit entries that are older, and what is kept of webhook deliveries; returns how many of each.

        Dead letters, links, suppressions and marks never go, however old they are. Notes of deliveries are kept for a
        week at least, because senders repeat themselves; and a lease that a worker left behind so long ago is given
        back. It works in short transactions beside a run under way, and may be broken off and repeated.

        Args:
            older_than: a timedelta, or seconds; a day at least.

        Raises:
            ConfigurationError: the span is shorter than a day.
            StateError: the state store failed; what was removed before stays removed.
        """
        span = older_than if isinstance(older_than, timedelta) else timedelta(seconds=older_than)
        if span < timedelta(days=1):
            raise ConfigurationError("older_than: at least a day, as a timedelta or in seconds")
        now = self._parts.clock.now()
        return self._pruned(now - span, ()) + self._pruned(now - max(span, KEPT), (RECEIPT, LAST_WORD))

    def _pruned(self, before: datetime, kinds: Sequence[str]) -> Pruned:
        total = Pruned()
        while (some := self._parts.state.prune(self._parts.name, before=before, kinds=kinds)) != Pruned():
            total += some
        return total
