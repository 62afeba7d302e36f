"""Who sent a delivery: signatures over the bytes as they came, and secrets in addresses, compared in constant time."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TypeAlias, cast

from .._secret import Secret, revealed
from ..errors import ConfigurationError, WebhookError

__all__ = [
    "Headers",
    "Secrets",
    "check_marketing_signature",
    "check_transactional_signature",
    "each_of",
    "refused",
    "verify_url_secret",
]

Headers: TypeAlias = (
    Mapping[str, str] | Mapping[bytes, bytes] | Iterable[tuple[str, str]] | Iterable[tuple[bytes, bytes]]
)
"""What frameworks hold headers in: a mapping, or pairs; text, or bytes."""

Secrets: TypeAlias = str | Secret | Sequence[str | Secret]
"""A secret, or where to find it; several while one replaces the other."""

_MARKETING_HEADER = "X-Mailchimp-Signature"
_TRANSACTIONAL_HEADER = "X-Mandrill-Signature"
_SECONDS = re.compile(rb"[0-9]{1,12}")


def refused(reason: str, message: str) -> WebhookError:
    """The error that refuses a delivery; neither its code nor its text has anything of what was delivered."""
    return WebhookError(message, system="mailchimp", operation="read webhook", reason=reason)


def each_of(given: Secrets, setting: str) -> tuple[str | Secret, ...]:
    """The secrets one by one. References are not looked up: their secret may not be there before a webhook is.

    Raises:
        ConfigurationError: one of them is empty; anybody could sign with it.
    """
    secrets = (given,) if isinstance(given, str | Secret) else tuple(given)
    _none_empty(secrets, setting)
    return secrets


def _none_empty(secrets: Iterable[str | Secret], setting: str) -> None:
    if "" in secrets:
        raise ConfigurationError(
            f"{setting} is empty: was it read from a variable that is not set?", system="mailchimp", reason="no_secret"
        )


def _bytes_of(secrets: Sequence[str | Secret], setting: str) -> list[bytes]:
    found = [revealed(secret) for secret in secrets]
    _none_empty(found, setting)
    return [_bytes(secret) for secret in found]


def verify_url_secret(given: str | None, expected: Secrets) -> None:
    """Compare the secret in the address of a delivery with your own, in a time that tells nothing about either.

    For webhooks from before Mailchimp signed them: make such a secret part of the URL that you register, as a piece
    of the path or of the query.

    Args:
        given: what the address that was called has in the secret's place; `None` where it has nothing.
        expected: the secret; several while one replaces the other.

    Raises:
        WebhookError: it is another; reason `"url_secret_wrong"`.
        ConfigurationError: no secret is expected, or an empty one.

    Example:
        >>> verify_url_secret("6f0c…", ["6f0c…", "the one before"])
    """
    known = _bytes_of(each_of(expected, "url_secret"), "url_secret")
    if not known:
        raise ConfigurationError("url_secret has no secret in it: give one", system="mailchimp", reason="no_secret")
    if not _is_any_among([_bytes(given or "")], known):
        raise refused("url_secret_wrong", "the secret in the address is missing or wrong: who called is not Mailchimp")


def check_marketing_signature(
    headers: Headers, body: bytes, *, secrets: Sequence[str | Secret], now: datetime, tolerance: timedelta
) -> None:
    """Raise `WebhookError` unless the body was signed with one of the secrets, not long ago.

    The header is `t=<unix seconds>,v1=<hex>`. There may be several `v1`, one for each secret while it is replaced.
    """
    header = _header(headers, _MARKETING_HEADER)
    items = [item.strip().partition(b"=") for item in header.split(b",")]
    stamps = {value for name, _, value in items if name == b"t"}
    signatures = [value for name, _, value in items if name == b"v1"]
    if len(stamps) != 1 or not signatures or not _SECONDS.fullmatch(stamp := stamps.pop()):
        raise refused(
            "signature_malformed", f"{_MARKETING_HEADER} is not t=<seconds>,v1=<hex>: does a proxy change it?"
        )
    signed = stamp + b"." + body
    made = [hmac.new(secret, signed, hashlib.sha256).hexdigest().encode() for secret in _bytes_of(secrets, "secret")]
    if not _is_any_among(signatures, made):
        raise refused("signature_wrong", "the signature is not made with the secret: compare it with the webhook's own")
    # After the signature, so that this reason means what it says: genuine, but late, or one of the clocks is wrong.
    if abs(now.timestamp() - int(stamp)) > tolerance.total_seconds():
        raise refused("signature_stale", "the signature is too old or ahead of time: check this machine's clock")


def check_transactional_signature(
    url: str, headers: Headers, pairs: Iterable[tuple[bytes, bytes]], *, keys: Sequence[str | Secret]
) -> None:
    """Raise `WebhookError` unless URL and form were signed with one of the keys.

    What is signed is the URL as it was registered, followed by each field's name and value, sorted by name.
    """
    header = _header(headers, _TRANSACTIONAL_HEADER)
    form = b"".join(name + value for name, value in sorted(pairs, key=lambda pair: pair[0]))
    signed = _bytes(url) + form
    made = [base64.b64encode(hmac.new(key, signed, hashlib.sha1).digest()) for key in _bytes_of(keys, "key")]
    if not _is_any_among([header], made):
        raise refused(
            "signature_wrong",
            "the signature does not fit: compare the key, and the URL with the one registered, character by character",
        )


def _is_any_among(sent: Sequence[bytes], known: Sequence[bytes]) -> bool:
    # Every pair is compared, each in a time that does not tell how much of it fits.
    matches = [hmac.compare_digest(one, other) for one in sent for other in known]
    return any(matches)


def _header(headers: Headers, name: str) -> bytes:
    """The values of a header, joined by commas as HTTP has it."""
    named = headers.items() if isinstance(headers, Mapping) else headers
    pairs = cast("Iterable[tuple[str | bytes, str | bytes]]", named)
    found = [_bytes(value) for key, value in pairs if _bytes(key).lower() == name.lower().encode()]
    if not any(found):
        raise refused(
            "signature_missing",
            f"there is no {name}: who called is not Mailchimp, a proxy takes the header away, or the webhook is not "
            "signed",
        )
    return b",".join(found).strip()


def _bytes(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
