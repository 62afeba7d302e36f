"""Model to Mailchimp payload, and the helpers for it. Pure: nothing here does I/O; every helper works alone."""

from ._commerce import OrderMapper, OrderMapping, OrderPayload, order_id
from ._ledger import GLAccount, GLAccountFormat
from ._mapping import Mapping
from ._members import FieldSource, MemberMapper, MemberMapping, MemberPayload, TagSource
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

__all__ = [
    "FieldSource",
    "GLAccount",
    "GLAccountFormat",
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
