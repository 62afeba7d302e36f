"""What Mailchimp tells us by itself, in our words."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

import attrs

__all__ = ["WebhookEvent"]


@attrs.frozen(kw_only=True)
class WebhookEvent:
    """One thing that happened to an address, from a delivery of the Marketing or the Transactional API.

    Attributes:
        kind: the vendor's word: `subscribe`, `unsubscribe`, `cleaned`, `profile`, `upemail`, `campaign`, `hard_bounce`,
            `spam`, `unsub`, `reject`, …; ones that are not known come along and mean nothing.
        address: whom it concerns, normalised; `""` where nobody is named.
        previous_address: of `upemail`, the address until now.
        reason: `hard` or `abuse` of `cleaned`, `manual` or `abuse` of `unsubscribe`, the vendor's word elsewhere.
        action: of `unsubscribe`, `delete` when the member was deleted or archived rather than unsubscribed.
        at: when it happened, aware UTC; `None` where the delivery does not say.
        receipt: the same for every delivery of this event, however often it comes.
        raw: the event as it came, unflattened.
    """

    origin: Literal["marketing", "transactional"]
    kind: str
    address: str = attrs.field(default="", repr=False)
    previous_address: str = attrs.field(default="", repr=False)
    reason: str = ""
    action: str = ""
    list_id: str = ""
    campaign_id: str = ""
    at: datetime | None = None
    receipt: str = ""
    raw: Mapping[str, Any] = attrs.field(factory=dict, repr=False, eq=False)
