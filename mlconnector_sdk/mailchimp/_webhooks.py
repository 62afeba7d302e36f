"""What Mailchimp delivers by itself, from bytes to events: verify first, parse after. Pure: the caller owns the server.

The `reason` of a `WebhookError` says why a delivery is refused. It is not to be trusted: `signature_missing`,
`signature_malformed`, `signature_wrong`, `signature_stale`, `url_secret_wrong`. Nothing of Mailchimp's is like that:
`too_large`, `unreadable`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any, Literal

from ..errors import ConfigurationError
from ..models import WebhookEvent
from ._forms import pairs_of, text_of, tree_of
from ._signatures import (
    Headers,
    Secrets,
    check_marketing_signature,
    check_transactional_signature,
    each_of,
    refused,
    verify_url_secret,
)
from ._wire import address_key

__all__ = ["parse_transactional_webhook", "parse_webhook"]

# What the addresses of people become who were deleted for good.
_FORGOTTEN = "forgotten.mailchimp.com"

# With this key Mandrill signs the empty delivery by which it tries an address before there is a webhook.
_REGISTRATION_KEY = "test-webhook"

_FIRED_AT = "%Y-%m-%d %H:%M:%S"


def parse_webhook(
    headers: Headers,
    body: bytes,
    *,
    secret: Secrets | None,
    url_secret: tuple[str | None, Secrets] | None = None,
    now: datetime | None = None,
    tolerance: timedelta | float = 300.0,
    limit_bytes: int = 1_000_000,
) -> list[WebhookEvent]:
    """The event of one delivery of the Marketing API, once it is certain that Mailchimp sent it.

    Deliveries come at least once and in any order: `WebhookEvent.receipt` is the same for each delivery of an event.
    A kind that is not known comes along as an event of that kind. The list is empty for an address that was deleted
    for good, and for an empty body, by which Mailchimp tries whether an address answers.

    Args:
        headers: as the framework has them; the case of names does not matter.
        body: the bytes as they came, before anything has parsed them.
        secret: the webhook's `signing_secret`, or where to find it; several while one replaces the other. `None` only
            for a webhook from before Mailchimp signed them: then `url_secret` must be given.
        url_secret: what the address that was called has in the secret's place, and what you expect there; see
            `verify_url_secret`.
        now: the present, aware; this machine's by default.
        tolerance: seconds, or a `timedelta`, by which a signature may be older than `now`, or ahead of it.
        limit_bytes: a body of that size or more is refused, before it is looked at.

    Raises:
        WebhookError: the delivery is forged, stale, too large or no delivery; `reason` says which.
        ConfigurationError: there is no secret to verify with, or it is empty.

    Example:
        >>> parse_webhook({}, b"", secret="6e1f…")
        []
        >>> parse_webhook({}, b"type=unsubscribe", secret="6e1f…")
        Traceback (most recent call last):
        mlconnector_sdk.errors.WebhookError: mailchimp read webhook: there is no X-Mailchimp-Signature: ...
    """
    secrets = () if secret is None else each_of(secret, "secret")
    if url_secret is not None:
        verify_url_secret(*url_secret)
    elif not secrets:
        message = "a webhook needs a secret to verify with: give secret, or url_secret for one that is not signed"
        raise ConfigurationError(message, system="mailchimp", reason="no_secret")
    _check_size(body, limit_bytes)
    if not body:
        return []
    if secrets:
        allowed = tolerance if isinstance(tolerance, timedelta) else timedelta(seconds=tolerance)
        check_marketing_signature(headers, body, secrets=secrets, now=now or datetime.now(UTC), tolerance=allowed)
    tree = tree_of(body)
    if not (kind := _text(tree.get("type"))):
        raise refused("unreadable", "the body has no type: it is not a delivery of the Marketing API")
    event = _marketing_event(kind, tree)
    is_forgotten = any(_is_forgotten(address) for address in (event.address, event.previous_address))
    return [] if is_forgotten else [event]


def parse_transactional_webhook(
    url: str, headers: Headers, body: bytes, *, key: Secrets, limit_bytes: int = 20_000_000
) -> list[WebhookEvent]:
    """The events of one delivery of the Transactional API (Mandrill), once it is certain that it sent them.

    One delivery has up to 1,000 events, of messages (`hard_bounce`, `spam`, `unsub`, `reject`, …) and of changes to the
    lists of blocked and allowed addresses (`blacklist`, `whitelist`, whose `action` is `add`, `remove` or `change`).
    The list is empty for the deliveries by which an address is tried before a webhook is made of it.

    Args:
        url: exactly as it was registered, query included. It is part of what is signed; do not rebuild it from a
            request, which a proxy may have changed.
        headers: as the framework has them; the case of names does not matter.
        body: the bytes as they came, before anything has parsed them.
        key: the webhook's key, or where to find it; several while one replaces the other. As it is not known before the
            webhook is there, `()` lets the trial pass and nothing else.
        limit_bytes: a body of that size or more is refused. 1,000 events can take many megabytes.

    Raises:
        WebhookError: the delivery is forged, too large or no delivery; `reason` says which. Answer it with anything
            but 200: a genuine one comes again, when the key or the URL has been mended.
        ConfigurationError: a key is empty.
    """
    keys = each_of(key, "key")
    _check_size(body, limit_bytes)
    if not body:
        return []
    pairs = pairs_of(body)
    entries = dict(pairs).get(b"mandrill_events", b"")
    is_trial = entries.strip() == b"[]"
    check_transactional_signature(url, headers, pairs, keys=(*keys, _REGISTRATION_KEY) if is_trial else keys)
    return [_transactional_event(entry) for entry in _read_entries(entries) if isinstance(entry, dict)]


def _check_size(body: bytes, limit_bytes: int) -> None:
    if len(body) >= limit_bytes:
        raise refused("too_large", f"the body has {limit_bytes:,} bytes or more: Mailchimp sends less; see limit_bytes")


def _marketing_event(kind: str, tree: Mapping[str, Any]) -> WebhookEvent:
    data = _branch(tree, "data")
    merges = _branch(data, "merges")
    # Text messages come with the address among the merge fields, or without one.
    address = _address(data.get("new_email")) or _address(data.get("email")) or _address(merges.get("EMAIL"))
    list_id, action = _text(data.get("list_id")), _text(data.get("action"))
    campaign_id = _text(data.get("campaign_id")) or (_text(data.get("id")) if kind == "campaign" else "")
    subject = _text(data.get("new_id")) or _text(data.get("id")) or address or _canonical(data)
    fired_at = _text(tree.get("fired_at"))
    return WebhookEvent(
        origin="marketing",
        kind=kind,
        address=address,
        previous_address=_address(data.get("old_email")),
        reason=_text(data.get("reason")),
        action=action,
        list_id=list_id,
        campaign_id=campaign_id,
        at=_time_of(fired_at),
        # One person has the same id in all audiences, and can leave two of them in the same second; or leave, and be
        # deleted by an administrator.
        receipt=_receipt("marketing", kind, action, list_id, subject, fired_at),
        raw=tree,
    )


def _time_of(fired_at: str) -> datetime | None:
    # Mailchimp writes no zone. That it means UTC is inferred: in its samples this agrees with stamps that have one.
    try:
        return datetime.strptime(fired_at, _FIRED_AT).replace(tzinfo=UTC)
    except ValueError:
        return None


def _is_forgotten(address: str) -> bool:
    domain = address.rpartition("@")[2]
    return domain == _FORGOTTEN or domain.endswith(f".{_FORGOTTEN}")


def _read_entries(text: bytes) -> list[Any]:
    try:
        entries = json.loads(text_of(text))
    except (ValueError, RecursionError):
        entries = None
    if not isinstance(entries, list):
        raise refused("unreadable", "mandrill_events is missing or no JSON array: it is not a delivery of Mandrill")
    return entries


def _transactional_event(entry: Mapping[str, Any]) -> WebhookEvent:
    message, reject = _branch(entry, "msg"), _branch(entry, "reject")
    kind, action = _text(entry.get("event")) or _text(entry.get("type")), _text(entry.get("action"))
    address = _address(message.get("email")) or _address(reject.get("email"))
    subject = _text(entry.get("_id")) or address or _canonical(entry)
    # `_id` is the message's: it can be opened twice, and two of its links clicked in one second.
    at = _moment(entry.get("ts"))
    return WebhookEvent(
        origin="transactional",
        kind=kind,
        address=address,
        reason=_reason_of(message, reject),
        action=action,
        at=at,
        receipt=_receipt("transactional", kind, action, subject, str(at), _text(entry.get("url"))),
        raw=entry,
    )


def _reason_of(message: Mapping[str, Any], reject: Mapping[str, Any]) -> str:
    return (
        _text(reject.get("reason"))
        or _text(message.get("bounce_description"))
        or _text(_branch(message, "reject").get("reason"))
    )


def _moment(seconds: Any) -> datetime | None:
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _receipt(origin: Literal["marketing", "transactional"], *parts: str) -> str:
    whole = json.dumps([origin, *parts]).encode()
    return blake2b(whole, digest_size=16).hexdigest()


def _canonical(tree: Mapping[str, Any]) -> str:
    """What tells an event apart that names neither an id nor an address: all of it."""
    try:
        return json.dumps(tree, sort_keys=True)
    except RecursionError:
        raise refused("unreadable", "an event is nested without end: it is not a delivery of Mandrill") from None


def _branch(tree: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    branch = tree.get(name)
    return branch if isinstance(branch, dict) else {}


def _text(value: Any) -> str:
    # JSON can hold halves of surrogate pairs, which no database and no hash takes.
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else ""


def _address(value: Any) -> str:
    return address_key(_text(value))
