"""Hypothesis strategies for what a state store keeps."""

from __future__ import annotations

from datetime import UTC

from hypothesis import strategies as st

from ..models import Link

__all__ = ["LINKS", "MARKS", "PAYLOADS", "TIMES"]

_NAMES = st.text() | st.just("$type")
_TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=60)
TIMES = st.datetimes(timezones=st.just(UTC))
MARKS = st.one_of(
    st.none(), TIMES, st.dates(), st.integers(), st.decimals(allow_nan=False, allow_infinity=False), _TEXT
)
_PLAIN = st.recursive(
    st.one_of(
        *(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(), st.binary(max_size=20)),
        *(st.decimals(allow_nan=False), st.datetimes(), TIMES, st.dates(), st.times()),
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_NAMES, inner, max_size=3),
    max_leaves=8,
)
LINKS = st.builds(
    Link,
    stream=st.sampled_from(["customers", "orders"]),
    key=_TEXT,
    target=_TEXT,
    address=_TEXT,
    fingerprint=_TEXT,
    owner=st.booleans(),
    state=st.sampled_from(["synced", "skipped", "dead"]),
    reason=_TEXT,
    parent=_TEXT,
    taken_off=st.sampled_from(["", "unsubscribed", "archived"]),
    standing=st.sampled_from(["", "subscribed", "cleaned"]),
    moved_from=_TEXT,
    contact_id=st.sampled_from(["", "0f3c9a6e2b1d4c559b7a"]),
    details=st.lists(_TEXT, max_size=3).map(tuple),
    permissions=st.lists(st.tuples(_TEXT, st.sampled_from(["given", "taken", "withdrawn"])), max_size=2).map(tuple),
    synced_at=st.none() | TIMES,
)
PAYLOADS = st.dictionaries(_NAMES, _PLAIN, max_size=4)
