"""`MailchimpSink`: one audience and its store as the place records are loaded to."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from types import TracebackType
from typing import Self

import attrs

from .._secret import Secret
from ..errors import ConfigurationError, MLConnectorError
from ..models import (
    Audience,
    AudienceMember,
    CheckResult,
    Forgotten,
    MemberWrite,
    MergeField,
    OrderWrite,
    Store,
    WriteResult,
)
from ..network import Network
from ..protocols import Clock, Journal, WaitListener
from ..retry import RetryPolicy
from ._audience import AudienceReader, create_merge_field
from ._batches import POLLING, Batches
from ._bulk import BulkWriter
from ._checks import check
from ._client import MOST_CONNECTIONS, MailchimpClient, Token
from ._ecommerce import OrderWriter, StoreKeeper
from ._erasure import forget
from ._hooks import Webhooks
from ._members import MemberWriter
from ._order_batches import BATCH_FROM, LARGEST_BATCH, OrderBatchWriter
from ._reports import ACTIVITY_BATCH_FROM, CampaignReports
from ._wire import SYSTEM

__all__ = ["MailchimpSink"]

log = logging.getLogger("mlconnector_sdk.mailchimp")

MOST_MEMBERS_IN_A_CALL = 500
# As many as in the vendor's own example; no limit is documented.
MOST_OPERATIONS_IN_A_BATCH = 1000


class MailchimpSink:
    """Writes members to one Mailchimp audience and orders to one store.

    No write ever moves a member from `unsubscribed`, `cleaned`, `archived` or `pending` to `subscribed` unless that
    write's own `status` says so. All write methods may be called from several threads and repeated without harm.

    Args:
        auth: an API key, whole with its data centre (`…-us6`); a `MailchimpAccount`, or the text that is kept of it; or
            an object with an `access_token`, asked for each request. A reference to a key or such a text is looked up
            at once, because they tell the address.
        list_id: the audience's id.
        store: the e-commerce store that orders go to; without one, orders cannot be written.
        concurrency: simultaneous requests, 10 at the most. All sinks of one account in this process share the smallest
            of their numbers, because Mailchimp allows ten per user over all programs.
        base_url: the API root with its version, such as `https://us6.api.mailchimp.com/3.0`, for proxies and tests;
            otherwise the account or the key's data centre tells it.
        retry: how often and how long transient errors are tried again.
        bulk_size: members per bulk call at the most, up to 500. Calls begin smaller and grow while they are quick.
        batch_from: so many new orders at once go in batches, which cost few calls and which Mailchimp works on by
            itself; fewer go by calls of their own, and all of them with `0` or `None`.
        batch_size: orders per batch at the most.
        activity_batch_from: so many pages of campaign activity (1,000 recipients each) at once are read by batches;
            fewer, and any with `0` or `None`: page by page.
        batch_polling: how often and how long a batch is asked for; its `within` is the deadline of each batch.
        network: whom to trust, and how much of an answer is read.

    Raises:
        ConfigurationError: an argument is wrong; nothing was sent.

    Example:
        >>> sink = MailchimpSink("0123456789abcdef0123456789abcdef-us6", list_id="a1b2c3d4e5")
        >>> sink
        <MailchimpSink audience a1b2c3d4e5>
        >>> sink.close()
    """

    system = SYSTEM

    def __init__(
        self,
        auth: str | Secret | Token,
        *,
        list_id: str,
        store: Store | None = None,
        concurrency: int = 8,
        base_url: str | None = None,
        retry: RetryPolicy | None = None,
        bulk_size: int = MOST_MEMBERS_IN_A_CALL,
        batch_from: int | None = BATCH_FROM,
        batch_size: int = LARGEST_BATCH,
        activity_batch_from: int | None = ACTIVITY_BATCH_FROM,
        batch_polling: RetryPolicy = POLLING,
        network: Network = Network(),
    ) -> None:
        _check_range("concurrency", concurrency, MOST_CONNECTIONS)
        _check_range("bulk_size", bulk_size, MOST_MEMBERS_IN_A_CALL)
        _check_range("batch_from", batch_from or 1, sys.maxsize)
        _check_range("activity_batch_from", activity_batch_from or 1, sys.maxsize)
        _check_range("batch_size", batch_size, MOST_OPERATIONS_IN_A_BATCH)
        if not list_id.strip():
            raise ConfigurationError("list_id must name an audience", system=SYSTEM)
        self.list_id = list_id
        self.store = store
        self._concurrency = concurrency
        self._client = MailchimpClient(
            auth, base_url=base_url, concurrency=concurrency, retry=retry or RetryPolicy(), network=network
        )
        self._reader = AudienceReader(self._client, list_id)
        self._webhooks = Webhooks(self._client, self._reader, list_id)
        self._members = MemberWriter(self._client, list_id)
        self._bulk = BulkWriter(self._client, list_id, single=self._members, threads=concurrency, largest=bulk_size)
        self._keeper = StoreKeeper(self._client, store, list_id) if store else None
        self._orders = OrderWriter(self._client, store) if store else None
        self._batch_from = batch_from or None
        self._batches = Batches(self._client, polling=batch_polling)
        self._reports = CampaignReports(self._client, list_id, self._batches, batch_from=activity_batch_from or None)
        self._order_batches: OrderBatchWriter | None = None
        if self._orders is not None:
            self._order_batches = OrderBatchWriter(self._batches, self._orders, size=batch_size, threads=concurrency)

    def __repr__(self) -> str:
        store = f" store {self.store.id}" if self.store else ""
        return f"<{type(self).__name__} audience {self.list_id}{store}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close connections; harmless when repeated."""
        self._bulk.close()
        self._batches.close()
        self._client.close()

    @property
    def concurrency(self) -> int:
        """How many calls of this sink may be under way at once."""
        return self._concurrency

    @property
    def request_count(self) -> int:
        """HTTP requests sent so far, repeats included."""
        return self._client.http.request_count + self._batches.request_count

    @property
    def batch_from(self) -> int | None:
        """So many new orders at once go in batches; `None`: never."""
        return self._batch_from

    @property
    def webhooks(self) -> Webhooks:
        """What Mailchimp tells of this audience by itself, and to which address."""
        return self._webhooks

    @property
    def reports(self) -> CampaignReports:
        """What became of campaigns that were sent to this audience, and what each person did with them."""
        return self._reports

    def attach(
        self,
        *,
        retry: RetryPolicy | None = None,
        on_wait: WaitListener | None = None,
        clock: Clock | None = None,
    ) -> None:
        """An engine's wishes: its retry policy if it has one, and who is told of pauses; the clock is Mailchimp's."""
        self._client.attach(retry=retry, on_wait=on_wait)

    # Before the first write

    def check(
        self, wanted: Sequence[MergeField] = (), *, interests: Sequence[str] = (), permissions: Sequence[str] = ()
    ) -> Iterator[CheckResult]:
        """Rows on connection, role, audience, opt-in, merge fields, interests and permissions by name, and store.

        Never raises, writes nothing.
        """
        return check(self._client, self.list_id, self.store, wanted, interests=interests, permissions=permissions)

    def inspect(
        self, wanted: Sequence[MergeField] = (), *, interests: Sequence[str] = (), permissions: Sequence[str] = ()
    ) -> Audience:
        """The audience as it is, and which of the wanted merge fields are missing; writes nothing.

        Raises:
            ConfigurationError: there is no such audience, it lacks an interest or a permission, or the store belongs to
                another one.
        """
        audience = self._reader.audience(wanted, interests=interests, permissions=permissions)
        if self._keeper is not None:
            self._keeper.settings()
        return audience

    def prepare(
        self,
        wanted: Sequence[MergeField] = (),
        *,
        wake: bool = True,
        interests: Sequence[str] = (),
        permissions: Sequence[str] = (),
    ) -> Audience:
        """Create missing merge fields and the store, and wake a store that an interrupted run left syncing.

        With `wake=False` such a store stays as it is: Mailchimp still works on what that run handed over.

        The answer's `merge_fields` hold the new ones too; `missing` are the wanted ones that were absent. Interests and
        marketing permissions are never created: which of them there are is for people to decide.

        Raises:
            ConfigurationError: there is no such audience, a merge field cannot be created, an interest or a permission
                is missing, or the store belongs to another audience.
        """
        audience = self._reader.audience(wanted, interests=interests, permissions=permissions)
        for field in audience.missing:
            create_merge_field(self._client, self._reader.root, field)
        if audience.missing:
            audience = attrs.evolve(audience, merge_fields=self._reader.merge_fields())
        if self._keeper is not None:
            self._keeper.ensure(wake=wake)
        return audience

    # Reading

    def present(self) -> datetime:
        """Mailchimp's own time."""
        return self._client.present()

    def member(self, address: str) -> AudienceMember | None:
        """One member as it is now, archived ones included; `None` when the audience does not know the address."""
        return self._reader.member(address)

    def changed_members(self, since: datetime | None) -> Iterator[Sequence[AudienceMember]]:
        """Members changed at or after `since` (all for `None`), oldest change first, archived ones last, in pages.

        Their `merge_fields` are left out: a page holds up to 1000 members.
        """
        return self._reader.changed_members(since)

    def all_members(self, merge_tags: Sequence[str] = ()) -> Iterator[Sequence[AudienceMember]]:
        """The whole audience in pages of up to 1000, archived members last, with ids and these merge fields alone.

        Members that change meanwhile may be met twice, none is missed. `merge_tags` must be tags that the audience has:
        Mailchimp refuses others.
        """
        return self._reader.all_members(merge_tags)

    # Writing

    def write_members(self, writes: Sequence[MemberWrite]) -> list[WriteResult]:
        """Create or update members; one result per write, in order.

        Up to three members, and members whose address changes, go by calls of their own, the others in bulk. A member
        that spoils a whole call is found and set aside; the others go through.

        Raises:
            TransientError: Mailchimp cannot be reached or is down; repeating the call is harmless.
            FatalError, ConfigurationError: the key, the account or the audience is wrong.
        """
        return self._bulk.write(writes)

    def write_orders(self, writes: Sequence[OrderWrite], *, journal: Journal | None = None) -> list[WriteResult]:
        """Create or update orders with their customers and products; one result per write, in order.

        Given a journal, new orders go in batches, each noted there before it is waited for; what exists already, and
        what a batch could not do, goes by calls of its own.

        Raises:
            ConfigurationError: no store is configured, or it is gone.
            TransientError: as in `write_members`; or a batch is not finished in time: its results can be recovered.
            FatalError: as in `write_members`.
        """
        if self._orders is None or self._order_batches is None:
            raise ConfigurationError("orders need a store: MailchimpSink(…, store=Store(…))", system=SYSTEM)
        if journal is not None:
            return self._order_batches.write(writes, journal)
        return [self._orders.write(write) for write in writes]

    def recover_orders(self, journal: Journal) -> dict[str, str]:
        """Wait for the batches that an interrupted run noted: fingerprints of the orders they created, by record key.

        Raises:
            ConfigurationError, TransientError, FatalError: as in `write_orders`.
        """
        if self._order_batches is None:
            raise ConfigurationError("orders need a store: MailchimpSink(…, store=Store(…))", system=SYSTEM)
        return self._order_batches.recover(journal)

    def forget(self, address: str) -> Forgotten:
        """Delete for good whatever there is about an address: its member, and its customer and orders of the store.

        Mailchimp then refuses the address for ever, unless the person signs up again. Harmless when repeated.

        Raises:
            RecordError: Mailchimp refuses; what was deleted before stays deleted, so repeat it.
            TransientError, FatalError, ConfigurationError: as in `write_members`.
        """
        return forget(self._client, self.list_id, self.store, address)

    @contextmanager
    def loading_history(self) -> Iterator[None]:
        """While inside, the store's order automations and tag-triggered ones stay quiet.

        After an error they stay quiet as long as batches are under way, until the next run has their results.
        """
        self._members.syncing = True
        if self._order_batches is not None:
            self._order_batches.under_way = False
        try:
            if self._keeper is not None:
                self._keeper.set_syncing(True)
            yield
        except BaseException:
            self._wake_quietly()
            raise
        else:
            self._wake()

    def _wake(self) -> None:
        self._members.syncing = False
        if self._keeper is not None:
            self._keeper.set_syncing(False)

    def _wake_quietly(self) -> None:
        """After another error, which must not be hidden: `prepare` of the next run wakes the store again."""
        if self._order_batches is not None and self._order_batches.under_way:
            self._members.syncing = False
            log.warning("the store stays marked as syncing: batches are under way, the next run takes their results")
            return
        try:
            self._wake()
        except MLConnectorError as error:
            log.warning("the store stays marked as syncing until the next run: %s", error.reason)


def _check_range(name: str, value: int, most: int) -> None:
    if not 1 <= value <= most:
        raise ConfigurationError(f"{name} must be 1 to {most}, got {value}", system=SYSTEM)
