"""Model to Mailchimp payload, and the helpers for it. Pure: nothing here does I/O; every helper works alone."""

from ._choices import InterestSource
from ._commerce import OrderMapper, OrderMapping, OrderPayload, order_id
from ._fields import FieldSource
from ._ledger import GLAccount, GLAccountFormat
from ._mapping import Mapping
from ._members import MemberMapper, MemberMapping, MemberPayload
from ._normalize import (
    clean_email,
    clean_phone,
    country_code,
    cut_utf8,
    member_address,
    merge_value,
    original_id,
    safe_id,
    split_emails,
    store_address,
)
from ._templates import TagSource

__all__ = [
    "FieldSource",
    "GLAccount",
    "GLAccountFormat",
    "InterestSource",
    "Mapping",
    "MemberMapper",
    "MemberMapping",
    "MemberPayload",
    "OrderMapper",
    "OrderMapping",
    "OrderPayload",
    "TagSource",
    "clean_email",
    "clean_phone",
    "country_code",
    "cut_utf8",
    "member_address",
    "merge_value",
    "order_id",
    "original_id",
    "safe_id",
    "split_emails",
    "store_address",
]
