"""The caller's decisions about people and documents: who is mailed, who is taken off, whose record wins."""

from __future__ import annotations

from typing import Literal

import attrs

__all__ = ["SyncPolicy"]


@attrs.frozen(kw_only=True)
class SyncPolicy:
    """What a run does where the data alone does not say. Every default is the careful choice.

    Attributes:
        new_members: status of a member this sync creates. `"subscribed"` becomes `"pending"` by itself on an audience
            with double opt-in; `"transactional"` never gets marketing mail.
        inactive: what happens to the member of a record that became inactive, or that a full scan no longer finds
            because it was deleted. New members are never created for inactive records.
        dormant: what a sweep does with the member of a record that had no business for long. It has its own setting,
            because a quiet customer is still one: the ERP says so of inactive ones, of these only the calendar does.
        on_hold: what happens to the member of a record that the ERP holds, mostly over an unpaid bill; by default
            nothing, for that is no matter of mail.
        reactivated: whether a member that this sync itself took off comes back when the customer is active again, or
            does business again.
        on_unsubscribe: what an unsubscribe in Mailchimp leads to: the address is suppressed from then on; that, and
            the ERP's records are flagged, by sources that can; or it is only noted in the audit (bounced and archived
            addresses are suppressed all the same).
        shared_email: who speaks for an address that several ERP records share: the first one met keeps it
            (`"first_owner"`), or a customer outranks contacts and suppliers (`"customer_first"`).
        suppliers: status of members created for suppliers, or `"ignore"` to leave suppliers out.
        credit_memos: `"skip"`, or `"refund"` to mark the corrected order as refunded.
        inactive_tag, on_hold_tag: the tags used by `inactive="tag"` and `on_hold="tag"`.
        dormant_tag: the tag used by `dormant="tag"`.
        most_leaving: when more than this share of a stream's members would leave in one run (because the ERP calls
            them inactive or opted out, a full scan no longer finds them, or a sweep or a repair says so), that is
            stopped, and the report says so: a filter, a field or a right may have changed. A handful (ten) is always
            believed; `allow_mass_leave=True` confirms the rest.
        max_consecutive_faults: after so many records in a row that fail with a server fault, the far side is taken to
            be down and the run stops, instead of setting every record aside.
    """

    new_members: Literal["subscribed", "pending", "transactional"] = attrs.field(
        default="subscribed", validator=attrs.validators.in_(["subscribed", "pending", "transactional"])
    )
    inactive: Literal["unsubscribe", "archive", "tag", "ignore"] = attrs.field(
        default="unsubscribe", validator=attrs.validators.in_(["unsubscribe", "archive", "tag", "ignore"])
    )
    dormant: Literal["unsubscribe", "archive", "tag", "ignore"] = attrs.field(
        default="unsubscribe", validator=attrs.validators.in_(["unsubscribe", "archive", "tag", "ignore"])
    )
    on_hold: Literal["unsubscribe", "archive", "tag", "ignore"] = attrs.field(
        default="ignore", validator=attrs.validators.in_(["unsubscribe", "archive", "tag", "ignore"])
    )
    reactivated: Literal["resubscribe", "leave"] = attrs.field(
        default="leave", validator=attrs.validators.in_(["resubscribe", "leave"])
    )
    on_unsubscribe: Literal["suppress", "flag_source", "log"] = attrs.field(
        default="suppress", validator=attrs.validators.in_(["suppress", "flag_source", "log"])
    )
    shared_email: Literal["first_owner", "customer_first"] = attrs.field(
        default="first_owner", validator=attrs.validators.in_(["first_owner", "customer_first"])
    )
    suppliers: Literal["subscribed", "pending", "transactional", "ignore"] = attrs.field(
        default="transactional",
        validator=attrs.validators.in_(["subscribed", "pending", "transactional", "ignore"]),
    )
    credit_memos: Literal["skip", "refund"] = attrs.field(
        default="skip", validator=attrs.validators.in_(["skip", "refund"])
    )
    inactive_tag: str = "Inactive"
    on_hold_tag: str = "On hold"
    dormant_tag: str = attrs.field(default="Dormant", validator=attrs.validators.min_len(1))
    most_leaving: float = attrs.field(default=0.1, validator=[attrs.validators.ge(0), attrs.validators.le(1)])
    max_consecutive_faults: int = attrs.field(default=20, validator=attrs.validators.ge(1))
