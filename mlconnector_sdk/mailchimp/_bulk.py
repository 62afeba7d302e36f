"""Members by the hundred: one call for many, each member's own result, and one bad member stopping nobody."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from functools import partial
from typing import Any, Literal, TypeVar

import attrs

from .._http import HttpReply
from .._json import json_in, json_of_type
from .._stopping import carried
from ..errors import (
    ConfigurationError,
    ContractError,
    RecordError,
    RecordNotFoundError,
    ServerFaultError,
    TimeoutExceededError,
)
from ..models import MemberStatus, MemberWrite, WriteResult
from ._client import READ_TIMEOUT, MailchimpClient
from ._members import LENIENT, NOT_A_MEMBER, MemberWriter, checked, with_status
from ._outage import FaultsInARow
from ._traces import traced
from ._wire import SYSTEM, Problem, RefusedError, address_key, path, refusal, result_of
from ._written import BriefMember, Wanted, WrittenMember, stale_tags, tags_in, written

__all__ = ["BulkWriter"]

# The first call tries out what this server makes of `status_if_new`, so it risks little.
TRIAL_SIZE = 5
FIRST_SIZE = 250
SMALLEST_SIZE = 10
QUICK_SECONDS = 10.0

# A few members go faster and are told apart better by calls of their own.
FEW = 3

Item = tuple[int, MemberWrite]
"""A write with its position in the caller's list."""

_Unfinished = tuple[int, MemberWrite, WriteResult, WrittenMember]
"""A write whose member needs more than the bulk call, with what that call made of it."""

T = TypeVar("T")


@attrs.define
class _Outcome:
    """The results of one `write` by position, how often each was sent, and how many in a row met a server fault."""

    results: dict[int, WriteResult] = attrs.field(factory=dict)
    sent: Counter[int] = attrs.field(factory=Counter)
    faults: FaultsInARow = attrs.field(factory=FaultsInARow)

    def result(self, index: int) -> WriteResult:
        """What became of one member, after all calls that had it."""
        result, sent = self.results[index], self.sent[index]
        return result if result.attempts == sent else attrs.evolve(result, attempts=sent)


@attrs.define
class _Answer:
    """What a bulk answer says, by its own names: those written, and the errors."""

    new_members: Sequence[BriefMember] = ()
    updated_members: Sequence[BriefMember] = ()
    errors: list[dict[str, Any]] = attrs.field(factory=list)


class BulkWriter:
    """Writes many members of one audience; safe for use by several threads.

    Args:
        single: writes one member, for what the bulk call cannot do.
        threads: how many single calls may be under way at once where the bulk call cannot be trusted.
        largest: members per call at the most.
    """

    def __init__(
        self, client: MailchimpClient, list_id: str, *, single: MemberWriter, threads: int, largest: int
    ) -> None:
        self._client = client
        self._list_id = list_id
        self._url = path("lists", list_id)
        self._single = single
        self._largest = largest
        self._size = min(FIRST_SIZE, largest)
        self._size_lock = threading.Lock()
        self._trial = threading.Lock()
        self._tried = False
        self._distrusted = False
        self._threads = threads
        self._pool: ThreadPoolExecutor | None = None
        self._pool_lock = threading.Lock()

    def close(self) -> None:
        """End the threads; harmless when repeated, and the next use begins anew."""
        with self._pool_lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(cancel_futures=True)

    def write(self, writes: Sequence[MemberWrite]) -> list[WriteResult]:
        """One result per write, in order; a later write to an address waits for the earlier one."""
        outcome = _Outcome()
        for items in rounds_of(writes):
            alone: list[Item] = []
            many: list[Item] = []
            for item in items:
                (alone if _needs_own_call(item[1]) else many).append(item)
            if len(many) <= FEW:
                alone, many = alone + many, []
            self._write_singly(alone, outcome)
            self._write_many(many, outcome)
        return [outcome.result(index) for index in range(len(writes))]

    def _write_many(self, items: Sequence[Item], outcome: _Outcome) -> None:
        good: list[Item] = []
        for item in items:
            if refused := checked(item[1]):
                outcome.results[item[0]] = refused
            else:
                good.append(item)
        rest = self._try_out(good, outcome)
        while rest:
            part, rest = (rest, []) if self._distrusted else (rest[: self._size], rest[self._size :])
            if self._distrusted:
                self._write_singly(part, outcome)
            else:
                self._send(part, outcome)

    def _try_out(self, items: list[Item], outcome: _Outcome) -> list[Item]:
        """Send a first small call, once; the other threads wait for what it shows."""
        with self._trial:
            if self._tried or not items:
                return items
            self._send(items[:TRIAL_SIZE], outcome)
            self._tried = True
        return items[TRIAL_SIZE:]

    def _write_singly(self, items: Iterable[Item], outcome: _Outcome) -> None:
        """By calls of their own, side by side when there are several.

        The first error that concerns them all, or many faults in a row, cancel what has not begun.
        """
        items = list(items)
        writes = [write for _, write in items]
        with closing(self._side_by_side(self._single.write, writes)) as results:
            for (index, _), result in zip(items, results, strict=True):
                outcome.sent[index] += result.attempts
                outcome.results[index] = outcome.faults.see(result)

    def _side_by_side(self, function: Callable[[T], WriteResult], items: Sequence[T]) -> Generator[WriteResult]:
        if len(items) <= FEW:
            yield from map(function, items)
            return
        with self._pool_lock:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix="mailchimp-members")
            results = self._pool.map(carried(function), items)
        yield from results

    # One call

    def _send(self, items: Sequence[Item], outcome: _Outcome, *, faulty: bool = False) -> None:
        """Send one call; `faulty` if it is part of one that ended in a server fault, time and again."""
        started = time.monotonic()
        reader = partial(_answer_in, Wanted.by(write for _, write in items))
        try:
            reply = self._exchange(items, outcome, reader, faulty=faulty)
        except RefusedError as error:
            self._on_refusal(items, error, outcome)
        except RecordNotFoundError:
            raise ConfigurationError(
                f"audience {self._list_id!r} is gone", system=SYSTEM, reason="unknown_audience"
            ) from None
        except ServerFaultError as error:
            self._on_fault(items, error, outcome)
        except TimeoutExceededError:
            if len(items) <= SMALLEST_SIZE:
                raise
            self._shrink(len(items))
            self._send_parts(_halves(items), outcome)
        else:
            outcome.faults.reset()
            self._grow(time.monotonic() - started)
            answer = reply.parsed if isinstance(reply.parsed, _Answer) else reader([reply.body])
            self._read(answer, items, outcome, reply.headers.get("x-request-id"))

    def _exchange(
        self, items: Sequence[Item], outcome: _Outcome, reader: Callable[[Iterable[bytes]], _Answer], *, faulty: bool
    ) -> HttpReply:
        retry = self._client.retry
        # On the way to a bad member one try tells enough; only alone is it given all of them.
        faults = 1 if faulty and len(items) > 1 else retry.fault_attempts
        with traced() as trace:
            try:
                return self._client.send(
                    "POST",
                    self._url,
                    _body_of(items),
                    operation="POST members",
                    params=LENIENT,
                    # A call that timed out is sent again in smaller parts, not as it was.
                    retry=attrs.evolve(retry, within=min(retry.within, READ_TIMEOUT), fault_attempts=faults),
                    reader=reader,
                )
            finally:
                outcome.sent.update(dict.fromkeys((index for index, _ in items), trace.attempts))

    def _on_refusal(self, items: Sequence[Item], error: RefusedError, outcome: _Outcome) -> None:
        outcome.faults.reset()
        if error.reason == "status_refused":
            self._distrusted = True
            self._write_singly(items, outcome)
        elif len(items) == 1:
            outcome.results[items[0][0]] = result_of(error)
        else:
            self._send_parts(_parts(items, error.problem.items), outcome)

    def _on_fault(self, items: Sequence[Item], error: ServerFaultError, outcome: _Outcome) -> None:
        """Mailchimp answers 500 to some bad data: find the member, unless every one fails."""
        if len(items) > 1:
            self._send_parts(_halves(items), outcome, faulty=True)
            return
        outcome.results[items[0][0]] = outcome.faults.see(result_of(error))

    def _send_parts(self, parts: Iterable[Sequence[Item]], outcome: _Outcome, *, faulty: bool = False) -> None:
        for part in parts:
            if self._distrusted:
                self._write_singly(part, outcome)
            else:
                self._send(part, outcome, faulty=faulty)

    def _grow(self, seconds: float) -> None:
        with self._size_lock:
            if seconds < QUICK_SECONDS and self._tried:
                self._size = min(self._largest, self._size * 2)

    def _shrink(self, sent: int) -> None:
        with self._size_lock:
            self._size = max(SMALLEST_SIZE, min(self._size, sent // 2))

    # One answer

    def _read(self, answer: _Answer, items: Sequence[Item], outcome: _Outcome, request_id: str | None) -> None:
        waiting = {address_key(item[1].address): item for item in items}
        unfinished = [
            *self._read_members(answer.new_members, "created", waiting, outcome, request_id),
            *self._read_members(answer.updated_members, "updated", waiting, outcome, request_id),
        ]
        again = self._read_errors(answer.errors, waiting, outcome, request_id)
        for (index, *_), result in zip(unfinished, self._side_by_side(self._finished, unfinished), strict=True):
            outcome.results[index] = result
        # Whoever the answer forgets gets a call of their own: nothing is taken for done that was not named.
        self._write_singly([*again, *waiting.values()], outcome)

    def _read_members(
        self,
        members: Iterable[BriefMember],
        kind: Literal["created", "updated"],
        waiting: dict[str, Item],
        outcome: _Outcome,
        request_id: str | None,
    ) -> list[_Unfinished]:
        """Note what became of these members; those with whom something is left to do are returned."""
        unfinished = []
        for member in members:
            item = waiting.pop(address_key(member.email_address), None)
            if item is None:
                continue
            index, write = item
            outcome.results[index] = result = WriteResult(
                kind=kind, member_status=member.status, request_id=request_id, contact_id=member.contact_id
            )
            wrong = kind == "created" and (write.only_if_member or member.status != _asked(write))
            is_tagged = isinstance(member, WrittenMember) and member.tags
            if wrong or is_tagged or write.tags_off or write.permissions:
                unfinished.append((index, write, result, WrittenMember.of(member)))
        return unfinished

    def _read_errors(
        self, errors: Iterable[dict[str, Any]], waiting: dict[str, Item], outcome: _Outcome, request_id: str | None
    ) -> list[Item]:
        """Note what was refused; those to try again by calls of their own are returned."""
        again = []
        for entry in errors:
            item = waiting.pop(address_key(str(entry.get("email_address") or "")), None)
            if item is None:
                continue
            problem = Problem.of_bulk_entry(entry, request_id)
            if problem.reason == "status_refused":
                self._distrusted = True
            if problem.reason in {"status_refused", "member_exists"}:
                again.append(item)
            else:
                outcome.results[item[0]] = result_of(refusal(problem))
        return again

    def _finished(self, unfinished: _Unfinished) -> WriteResult:
        """Do what the bulk call could not, or did wrong."""
        _, write, result, member = unfinished
        try:
            if result.kind == "created" and write.only_if_member:
                # The links were wrong: whoever was not there is taken out again.
                self._single.archive(write.address)
                return NOT_A_MEMBER
            if result.kind == "created" and result.member_status != _asked(write):
                result = self._mended(write, result)
            self._single.switch_tags(write.address, off=stale_tags(write, member.tags, tags_in(write.body)))
            return self._single.permitted(write, result, attrs.evolve(member, status=result.member_status))
        except (RecordError, ServerFaultError) as error:
            return result_of(error)

    def _mended(self, write: MemberWrite, result: WriteResult) -> WriteResult:
        """Take back a status that nobody asked for, and stop trusting the bulk call with new members."""
        if result.member_status in {"subscribed", "pending", "transactional"}:
            self._distrusted = True
        status = self._single.lower(write, str(result.member_status))
        return attrs.evolve(result, member_status=status, note="status_differs")


def _answer_in(wanted: Wanted, chunks: Iterable[bytes]) -> _Answer:
    """Read the answer, and no more of it than is wanted: reading all of it takes three times as long.

    Raises:
        ContractError: this is no bulk answer.
    """
    body = bytearray()
    for chunk in chunks:
        # Joined at the end, the whole answer would be held twice.
        body += chunk
    if not (wanted.prefixes or wanted.permissions):
        # Where a member is of another shape than it should be, all are read with more patience.
        with suppress(ValueError):
            return json_of_type(body, _Answer)
    try:
        answer = json_in(bytes(body))
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise ContractError("the answer is no JSON object: check base_url", system=SYSTEM)
    created, updated, errors = (
        [entry for entry in answer.get(name) or () if isinstance(entry, dict)]
        for name in ("new_members", "updated_members", "errors")
    )
    return _Answer([written(entry, wanted) for entry in created], [written(entry, wanted) for entry in updated], errors)


def rounds_of(writes: Sequence[MemberWrite]) -> list[list[Item]]:
    """The writes in rounds that name each address once, earlier writes first."""
    rounds: list[list[Item]] = []
    last: dict[str, int] = {}
    for index, write in enumerate(writes):
        key = address_key(write.address)
        number = last.get(key, -1) + 1
        if write.previous_address is not None:
            previous = address_key(write.previous_address)
            number = max(number, last.get(previous, -1) + 1)
            last[previous] = number
        last[key] = number
        if number == len(rounds):
            rounds.append([])
        rounds[number].append((index, write))
    return rounds


def _needs_own_call(write: MemberWrite) -> bool:
    """A move, an archiving, an erasure, mere tags, and whatever must not create a member the links do not know."""
    return (
        write.previous_address is not None
        or write.status == "archived"
        or write.forget
        or not write.body
        or (write.only_if_member and not write.exists)
    )


def _asked(write: MemberWrite) -> MemberStatus:
    return write.status or write.status_if_new


def _body_of(items: Sequence[Item]) -> bytes:
    members = b",".join(map(_member_of, (write for _, write in items)))
    return b'{"members":[%b],"update_existing":true,"sync_tags":false}' % members


def _member_of(write: MemberWrite) -> bytes:
    if write.status:
        return with_status(write.body, "status", write.status)
    # Whoever is to be no member is created all the same when the links are wrong: then at least without any mail.
    return with_status(write.body, "status_if_new", "unsubscribed" if write.only_if_member else write.status_if_new)


def _halves(items: Sequence[Item]) -> tuple[Sequence[Item], Sequence[Item]]:
    middle = len(items) // 2
    return items[:middle], items[middle:]


def _parts(items: Sequence[Item], blamed: frozenset[int]) -> tuple[Sequence[Item], Sequence[Item]]:
    """The blamed ones and the others, when the refusal names some; else halves."""
    chosen = [item for number, item in enumerate(items) if number in blamed]
    if not chosen or len(chosen) == len(items):
        return _halves(items)
    return chosen, [item for number, item in enumerate(items) if number not in blamed]
