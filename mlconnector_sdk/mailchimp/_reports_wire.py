"""Reports on the wire, without I/O: rows to values. What is not known stays in `raw`."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, TypeAlias

import attrs

from .._json_stream import entries
from ..errors import ContractError
from ..models import CampaignReport, ClickedLink, Engagement, MemberActivity, Recipient, Revenue
from ._audience import FORGOTTEN_HOST
from ._wire import SYSTEM, address_key

__all__ = [
    "PackedRows",
    "PageRead",
    "Row",
    "abuse_of",
    "activity_of",
    "is_anybody",
    "link_of",
    "member_activity_of",
    "opens_of",
    "recipient_of",
    "report_of",
    "unsubscribe_of",
]

Row: TypeAlias = Mapping[str, Any]


@attrs.define
class PageRead:
    """One page.

    Attributes:
        total: how many rows there are in all; `None` where the answer does not say.
        count: how many of them this page had.
        kept: those of them that matter, with what they are told apart by.
    """

    total: int | None = None
    count: int = 0
    kept: list[tuple[str, Row]] = attrs.field(factory=list)

    def take(self, row: Row, keep: Callable[[Row], bool]) -> None:
        """Count a row, and keep it when it matters."""
        self.count += 1
        if keep(row):
            self.kept.append((_identity(row), row))

    @classmethod
    def of_document(cls, document: Row, key: str, keep: Callable[[Row], bool]) -> PageRead:
        """A page that was read whole."""
        page = cls()
        rows = document.get(key)
        for row in rows if isinstance(rows, list) else ():
            if isinstance(row, dict):
                page.take(row, keep)
        total = document.get("total_items")
        page.total = total if isinstance(total, int) else None
        return page

    @classmethod
    def of_chunks(cls, chunks: Iterable[bytes], key: str, keep: Callable[[Row], bool]) -> PageRead:
        """A page read while it arrives, so that rows that do not matter never stand in memory.

        Raises:
            ContractError: this is no page.
        """
        page = cls()
        try:
            for name, value in entries(chunks):
                if name == key and isinstance(value, dict):
                    page.take(value, keep)
                elif name == "total_items" and isinstance(value, int):
                    page.total = value
        except ValueError:
            raise ContractError("the answer is no JSON object: check base_url", system=SYSTEM) from None
        return page


def _identity(row: Row) -> str:
    """What tells a row from the others of its collection; the whole of it where it has no id."""
    return str(row.get("email_id") or row.get("id") or json.dumps(row, sort_keys=True, default=str))


def is_anybody(row: Row) -> bool:
    """Whether the row is of a person: those deleted for good leave a made-up address behind."""
    return not address_key(_text(row.get("email_address"))).endswith(FORGOTTEN_HOST)


def report_of(row: Row) -> CampaignReport:
    """A campaign's totals; money as `Decimal` when the row was read that way."""
    opens, clicks, bounces = (_part(row, name) for name in ("opens", "clicks", "bounces"))
    money = _part(row, "ecommerce")
    return CampaignReport(
        id=_text(row.get("id")),
        title=_text(row.get("campaign_title")),
        subject=_text(row.get("subject_line")),
        type=_text(row.get("type")),
        list_id=_text(row.get("list_id")),
        sent_at=_time(row.get("send_time")),
        emails_sent=_number(row.get("emails_sent")),
        opens=_number(opens.get("opens_total")),
        unique_opens=_number(opens.get("unique_opens")),
        last_open_at=_time(opens.get("last_open")),
        clicks=_number(clicks.get("clicks_total")),
        unique_clicks=_number(clicks.get("unique_subscriber_clicks")),
        last_click_at=_time(clicks.get("last_click")),
        hard_bounces=_number(bounces.get("hard_bounces")),
        soft_bounces=_number(bounces.get("soft_bounces")),
        syntax_errors=_number(bounces.get("syntax_errors")),
        unsubscribes=_number(row.get("unsubscribed")),
        abuse=_number(row.get("abuse_reports")),
        revenue=Revenue(
            orders=_number(money.get("total_orders")),
            total=_money(money.get("total_revenue")),
            spent=_money(money.get("total_spent")),
            currency=_text(money.get("currency_code")),
        ),
        raw=row,
    )


def activity_of(campaign_id: str, row: Row, since: datetime | None) -> Iterator[Engagement]:
    """What one recipient did; `since` is kept to here too, whatever the answer holds."""
    for item in row.get("activity") or ():
        if isinstance(item, dict):
            action = _text(item.get("action"))
            if action == "bounce" and item.get("type"):
                action = f"{item['type']}_bounce"
            yield from _engagement(campaign_id, row, item, action, item.get("timestamp"), since)


def opens_of(campaign_id: str, row: Row, since: datetime | None) -> Iterator[Engagement]:
    """Each time that one recipient opened the campaign."""
    for item in row.get("opens") or ():
        if isinstance(item, dict):
            yield from _engagement(campaign_id, row, item, "open", item.get("timestamp"), since)


def unsubscribe_of(campaign_id: str, row: Row, since: datetime | None) -> Iterator[Engagement]:
    """That somebody left."""
    return _engagement(campaign_id, row, row, "unsubscribe", row.get("timestamp"), since)


def abuse_of(campaign_id: str, row: Row, since: datetime | None) -> Iterator[Engagement]:
    """That somebody called it spam."""
    return _engagement(campaign_id, row, row, "abuse", row.get("date"), since)


def _engagement(
    campaign_id: str, row: Row, raw: Row, action: str, stamp: Any, since: datetime | None
) -> Iterator[Engagement]:
    at = _time(stamp)
    if since is not None and at is not None and at < since:
        return
    yield Engagement(
        action=action,
        at=at,
        address=address_key(_text(row.get("email_address"))),
        member_id=_text(row.get("email_id")),
        campaign_id=campaign_id,
        url=_text(raw.get("url")),
        detail=_text(raw.get("reason")),
        raw=raw,
    )


def recipient_of(campaign_id: str, row: Row) -> Recipient:
    """Somebody it was sent to."""
    return Recipient(
        address=address_key(_text(row.get("email_address"))),
        member_id=_text(row.get("email_id")),
        campaign_id=campaign_id,
        status=_text(row.get("status")),
        opens=_number(row.get("open_count")),
        last_open_at=_time(row.get("last_open")),
        raw=row,
    )


def link_of(campaign_id: str, row: Row) -> ClickedLink:
    """A link of the campaign."""
    return ClickedLink(
        id=_text(row.get("id")),
        url=_text(row.get("url")),
        campaign_id=campaign_id,
        clicks=_number(row.get("total_clicks")),
        unique_clicks=_number(row.get("unique_clicks")),
        last_click_at=_time(row.get("last_click")),
        raw=row,
    )


def member_activity_of(address: str, row: Row) -> MemberActivity:
    """An entry of a member's history."""
    return MemberActivity(
        kind=_text(row.get("activity_type")),
        at=_time(row.get("created_at_timestamp")),
        address=address,
        campaign_id=_text(row.get("campaign_id")),
        campaign_title=_text(row.get("campaign_title")),
        url=_text(row.get("link_clicked")),
        raw=row,
    )


class PackedRows:
    """Rows kept small in memory, to be read once: results of a batch must be taken at once, whoever is slow later."""

    def __init__(self) -> None:
        self._deflate = zlib.compressobj(level=6)
        self._packed: list[bytes] = []

    def add(self, row: Row) -> None:
        """Keep one more row."""
        self._packed.append(self._deflate.compress(json.dumps(row, separators=(",", ":")).encode() + b"\n"))

    def __iter__(self) -> Iterator[Row]:
        self._packed.append(self._deflate.flush())
        inflate = zlib.decompressobj()
        rest = b""
        for packed in self._packed:
            *lines, rest = (rest + inflate.decompress(packed)).split(b"\n")
            yield from map(json.loads, lines)


def _part(row: Row, name: str) -> Row:
    part = row.get(name)
    return part if isinstance(part, dict) else {}


def _text(value: Any) -> str:
    return "" if value is None else str(value)


_MOST = 2**63


def _number(value: Any) -> int:
    # What is larger counts nothing, and may be endless.
    return int(value) if isinstance(value, (int, float, Decimal)) and -_MOST < value < _MOST else 0


def _money(value: Any) -> Decimal:
    try:
        return Decimal(str(value or 0))
    except InvalidOperation:
        return Decimal(0)


def _time(value: Any) -> datetime | None:
    """Aware UTC; a stamp without zone is UTC, as the API says of itself; what was never set is an empty text."""
    try:
        moment = datetime.fromisoformat(str(value or ""))
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
