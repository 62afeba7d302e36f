"""What every receiver of webhooks does alike: whom to let in, and what to answer. No I/O."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Protocol, TypeAlias
from urllib.parse import parse_qsl

import attrs

from ..errors import WebhookError
from ..mailchimp import parse_transactional_webhook, parse_webhook
from ..models import WebhookEvent
from ..protocols import Secret

__all__ = ["Asked", "AudienceWebhooks", "Deliveries", "Handler", "TransactionalWebhooks", "admit", "headers_of", "read"]

_log = logging.getLogger("mlconnector_sdk.integrations")

Handler: TypeAlias = Callable[[list[WebhookEvent]], object]
"""Takes the events of one delivery."""

_STATUSES = {"too_large": HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "unreadable": HTTPStatus.BAD_REQUEST}


@attrs.frozen(kw_only=True)
class Asked:
    """A request as far as it is judged."""

    method: str
    path: str
    query: str
    headers: Sequence[tuple[bytes, bytes]] = attrs.field(repr=False)


class Deliveries(Protocol):
    """Whose deliveries come in; a body of `limit_bytes` need not be received to its end."""

    @property
    def limit_bytes(self) -> int: ...

    def events(self, asked: Asked, body: bytes) -> list[WebhookEvent]:
        """The events of a delivery, or `WebhookError`."""
        ...


@attrs.frozen(kw_only=True)
class AudienceWebhooks:
    """The webhooks of an audience, and batch webhooks.

    Args:
        secret: the webhook's `signing_secret`, or where to find it; several while one replaces the other. `None` only
            for webhooks from before Mailchimp signed them: then `url_secret` must be given. A reference to a vault is
            looked up by each delivery, so the receiver may start before there is a webhook.
        url_secret: the secret in the address, as the last piece of the path or as `secret` in the query.
        tolerance: seconds, or a `timedelta`, that a signature may be old.
        limit_bytes: a body of that size or more is refused.
        clock: gives the present, aware; this machine's by default.

    Raises:
        ConfigurationError: there is no secret, or it is empty.
    """

    secret: str | Secret | Sequence[str | Secret] | None = attrs.field(repr=False)
    url_secret: str | Secret | Sequence[str | Secret] | None = attrs.field(default=None, repr=False)
    tolerance: timedelta | float = 300.0
    limit_bytes: int = 1_000_000
    clock: Callable[[], datetime] | None = None

    def __attrs_post_init__(self) -> None:
        # Settings that are wrong are found now, not by the first delivery.
        with suppress(WebhookError):
            self.events(_NOTHING, b"")

    def events(self, asked: Asked, body: bytes) -> list[WebhookEvent]:
        """See `parse_webhook`."""
        return parse_webhook(
            asked.headers,
            body,
            secret=self.secret,
            url_secret=None if self.url_secret is None else (_secret_in(asked), self.url_secret),
            now=self.clock() if self.clock else None,
            tolerance=self.tolerance,
            limit_bytes=self.limit_bytes,
        )


@attrs.frozen(kw_only=True)
class TransactionalWebhooks:
    """The webhooks of Mandrill.

    Args:
        url: the address exactly as it was registered.
        key: the webhook's key, or where to find it; several while one replaces the other; `()` until there is one.
        limit_bytes: a body of that size or more is refused.

    Raises:
        ConfigurationError: a key is empty.
    """

    url: str = attrs.field(repr=False)
    key: str | Secret | Sequence[str | Secret] = attrs.field(repr=False)
    limit_bytes: int = 20_000_000

    def __attrs_post_init__(self) -> None:
        self.events(_NOTHING, b"")

    def events(self, asked: Asked, body: bytes) -> list[WebhookEvent]:
        """See `parse_transactional_webhook`."""
        return parse_transactional_webhook(self.url, asked.headers, body, key=self.key, limit_bytes=self.limit_bytes)


def admit(method: str) -> HTTPStatus | None:
    """The answer to what is no delivery; `None` for a POST. Both APIs try an address by GET or HEAD."""
    if method == "POST":
        return None
    return HTTPStatus.OK if method in {"GET", "HEAD"} else HTTPStatus.METHOD_NOT_ALLOWED


def read(deliveries: Deliveries, asked: Asked, body: bytes) -> tuple[HTTPStatus, list[WebhookEvent]]:
    """What to answer, and the events to hand on before that. Refusals are logged by their reason."""
    try:
        return HTTPStatus.OK, deliveries.events(asked, body)
    except WebhookError as error:
        _log.warning("a webhook delivery was refused", extra={"mlc_reason": error.reason})
        # Never 410: it would disable the webhook at once.
        return _STATUSES.get(error.reason, HTTPStatus.FORBIDDEN), []


def headers_of(status: HTTPStatus) -> list[tuple[str, str]]:
    """The headers of an answer, which has no body."""
    allowed = [("Allow", "GET, HEAD, POST")] if status == HTTPStatus.METHOD_NOT_ALLOWED else []
    return [("Content-Length", "0"), *allowed]


_NOTHING = Asked(method="POST", path="", query="", headers=())


def _secret_in(asked: Asked) -> str:
    return dict(parse_qsl(asked.query)).get("secret") or asked.path.rstrip("/").rpartition("/")[2]
