"""What Mailchimp and Mandrill deliver by themselves: shaped and signed as the real ones, and tried again as long."""

from __future__ import annotations

import base64
import functools
import hashlib
import hmac
import json
import ssl
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal
from urllib.parse import urlencode

import attrs
import httpx

from ._mailchimp_audience import Audience, Member, digest

__all__ = ["Deliveries", "Delivery", "form_of"]

# It is documented that pauses grow over about 75 minutes; how they grow is inferred.
_MARKETING_PAUSES = tuple(timedelta(minutes=minutes) for minutes in (1, 4, 10, 20, 40))
_TRANSACTIONAL_PAUSES = (timedelta(minutes=20),) * 20
_REGISTRATION_KEY = "test-webhook"

Sign = Callable[[bytes, datetime], Mapping[str, str]]
"""Makes the headers of one try, out of the body and the present."""


@attrs.define(kw_only=True, eq=False)
class Delivery:
    """One delivery and what became of it.

    Attributes:
        headers: of the first try, or of the latest where later ones are signed anew.
        statuses: what each try was answered; 0 for no answer in time.
        state: `waiting` for its next try; `dropped` after the last one, or when the webhook is disabled; `unwanted`
            by the webhook's settings.
        due: when it is tried again.
    """

    url: str
    origin: Literal["marketing", "transactional"]
    body: bytes = attrs.field(repr=False)
    headers: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    statuses: list[int] = attrs.field(factory=list)
    state: Literal["waiting", "delivered", "dropped", "unwanted"] = "waiting"
    due: datetime
    sign: Sign = attrs.field(repr=False)


class Deliveries:
    """The senders of one account.

    Attributes:
        waiting: what will be tried again, oldest first.
        disabled: addresses whose webhook was disabled: they get nothing any more.
        timeout: seconds a receiver has to answer.
        sign_anew: whether a later try has a signature of its own time. The vendor does not say; with `False` a
            receiver that was away for longer than the tolerance refuses what it missed.
    """

    def __init__(self, audience: Audience) -> None:
        self.waiting: list[Delivery] = []
        self.disabled: set[str] = set()
        self.timeout = 10.0
        self.sign_anew = True
        self._audience = audience

    # Marketing

    def make(self, url: str, kind: str, address: str = "", *, secret: str | None = None, **data: Any) -> Delivery:
        """A delivery that is not sent: `body` and `headers` are for a framework's own test client.

        Args:
            url: where to; the webhook registered there signs.
            kind: `subscribe`, `unsubscribe`, `profile`, `upemail`, `cleaned`, `campaign`, or anything else.
            address: whom it is about; of `upemail` the new address, and `old_email` is the one until now.
            secret: signs instead. Without either the delivery is not signed, as from before there were signatures.
            data: further fields, or others in place of the usual ones; `None` takes a field away.
        """
        now = self._audience.now()
        fields = {**self._fields(kind, address), **data}
        tree = {
            "type": kind,
            "fired_at": f"{now:%Y-%m-%d %H:%M:%S}",
            "data": {name: value for name, value in fields.items() if value is not None},
        }
        hook = self._hook(url)
        own = str(hook.get("signing_secret", "")) if hook.get("signing_enabled") else ""
        used = own if secret is None else secret
        body = form_of(tree)
        delivery = Delivery(url=url, origin="marketing", body=body, due=now, sign=_marketing_signature(used))
        delivery.headers = delivery.sign(body, now)
        return delivery

    def send(
        self,
        url: str,
        kind: str,
        address: str = "",
        *,
        secret: str | None = None,
        by: Literal["user", "admin", "api"] = "user",
        **data: Any,
    ) -> Delivery:
        """Deliver, if the webhook registered at the URL wants to know; the first try is made at once.

        Args:
            by: who did it: a webhook may not want what the API did, for example.
        """
        delivery = self.make(url, kind, address, secret=secret, **data)
        hook = self._hook(url)
        if hook and not (hook["events"].get(kind) and hook["sources"].get(by)):
            delivery.state = "unwanted"
            return delivery
        return self._enqueue(delivery)

    # Transactional

    def make_transactional(
        self, url: str, events: Sequence[Mapping[str, Any]], *, key: str, signed_url: str | None = None
    ) -> Delivery:
        """A delivery of up to 1,000 events that is not sent.

        Args:
            url: where to.
            events: see `message_event` and `sync_event`.
            key: the webhook's key.
            signed_url: the URL as it was registered, where a proxy leads from there to `url`.
        """
        if len(events) > 1000:
            raise ValueError("one delivery has 1,000 events at the most")
        now = self._audience.now()
        body = urlencode({"mandrill_events": json.dumps(list(events), separators=(",", ":"))}).encode()
        sign = _transactional_signature(signed_url or url, key)
        delivery = Delivery(url=url, origin="transactional", body=body, due=now, sign=sign)
        delivery.headers = sign(body, now)
        return delivery

    def send_transactional(
        self, url: str, events: Sequence[Mapping[str, Any]], *, key: str, signed_url: str | None = None
    ) -> Delivery:
        """Deliver up to 1,000 events; they wait behind those that wait already."""
        return self._enqueue(self.make_transactional(url, events, key=key, signed_url=signed_url))

    def check_transactional(self, url: str, *, signed_url: str | None = None) -> bool:
        """Try an address as before a webhook is made of it: HEAD, and when that fails an empty delivery."""
        with httpx.Client(trust_env=False, timeout=self.timeout, verify=_tls()) as client:
            if client.head(url).status_code == 200:
                return True
            body = urlencode({"mandrill_events": "[]"}).encode()
            headers = _transactional_signature(signed_url or url, _REGISTRATION_KEY)(body, self._audience.now())
            return client.post(url, content=body, headers=dict(headers)).status_code == 200

    def message_event(self, kind: str, address: str, **message: Any) -> dict[str, Any]:
        """An event about one message: `hard_bounce`, `spam`, `unsub`, `reject`, `open`, …; `message` are its fields."""
        seconds = int(self._audience.now().timestamp())
        message_id = message.pop("_id", digest("message", kind, address, seconds))
        about = {"_id": message_id, "ts": seconds, "email": address, "sender": "erp@acme-wholesale.org"}
        described = {"subject": "Invoice", "tags": [], "metadata": {}, "state": "sent", **message}
        return {"event": kind, "_id": message_id, "ts": seconds, "msg": {**about, **described}}

    def sync_event(
        self, address: str, *, kind: str = "blacklist", action: str = "add", reason: str = "hard-bounce"
    ) -> dict[str, Any]:
        """An event about the list of blocked addresses, or of allowed ones (`whitelist`)."""
        return {
            "type": kind,
            "action": action,
            "reject": {"email": address, "reason": reason, "detail": "", "subaccount": None},
            "ts": int(self._audience.now().timestamp()),
        }

    # Both

    def again(self, delivery: Delivery) -> int:
        """Deliver something once more, as happens when an answer gets lost; gives the status."""
        return self._post(delivery)

    def redeliver(self) -> list[Delivery]:
        """Try again what is due by the account's clock; gives what was tried."""
        tried = [delivery for delivery in list(self.waiting) if self._is_next(delivery) and self._try(delivery)]
        self.waiting = [delivery for delivery in self.waiting if delivery.state == "waiting"]
        return tried

    def _enqueue(self, delivery: Delivery) -> Delivery:
        if delivery.url in self.disabled:
            delivery.state = "dropped"
            return delivery
        self.waiting.append(delivery)
        self.redeliver()
        return delivery

    def _is_next(self, delivery: Delivery) -> bool:
        if delivery.due > self._audience.now():
            return False
        ahead = (other for other in self.waiting if other.url == delivery.url and other.state == "waiting")
        return delivery.origin == "marketing" or next(ahead) is delivery

    def _try(self, delivery: Delivery) -> bool:
        if delivery.url in self.disabled:
            delivery.state = "dropped"
            return False
        status = self._post(delivery)
        is_transactional = delivery.origin == "transactional"
        pauses = _TRANSACTIONAL_PAUSES if is_transactional else _MARKETING_PAUSES
        if status == 200 or (200 < status < 300 and not is_transactional):
            delivery.state = "delivered"
        elif status == 410 and not is_transactional:
            delivery.state = "dropped"
            self.disabled.add(delivery.url)
        elif len(delivery.statuses) > len(pauses):
            delivery.state = "dropped"
            self.disabled.update({delivery.url} if is_transactional else ())
        else:
            delivery.due = self._audience.now() + pauses[len(delivery.statuses) - 1]
        return True

    def _post(self, delivery: Delivery) -> int:
        if self.sign_anew:
            delivery.headers = delivery.sign(delivery.body, self._audience.now())
        try:
            with httpx.Client(trust_env=False, timeout=self.timeout, verify=_tls()) as client:
                answer = client.post(delivery.url, content=delivery.body, headers=dict(delivery.headers))
            delivery.statuses.append(answer.status_code)
        except httpx.TransportError:
            delivery.statuses.append(0)
        return delivery.statuses[-1]

    def _hook(self, url: str) -> Mapping[str, Any]:
        return next((hook for hook in self._audience.webhooks.values() if hook["url"] == url), {})

    # What a delivery says

    def _fields(self, kind: str, address: str) -> dict[str, Any]:
        list_id = {"list_id": self._audience.list_id}
        person = {**self._person(address), **list_id}
        shapes: dict[str, dict[str, Any]] = {
            "subscribe": {**person, "ip_signup": "203.0.113.9"},
            "profile": person,
            "unsubscribe": {"action": "unsub", "reason": "manual", **person},
            "upemail": {"new_id": _unique_id(address), "new_email": address, "old_email": "", **list_id},
            "cleaned": {**list_id, "campaign_id": "4fjk2ma9xd", "reason": "hard", "email": address},
            "campaign": {"id": "5aa2102003", "subject": "Spring list", "status": "sent", "reason": "", **list_id},
        }
        return shapes.get(kind, {"email": address} if address else {})

    def _person(self, address: str) -> dict[str, Any]:
        member = self._audience.members.get(address)
        known = member or Member(email_address=address, status="unsubscribed", last_changed=self._audience.now())
        return {
            "id": known.unique_email_id,
            "email": known.email_address,
            "email_type": known.email_type,
            "ip_opt": known.ip_opt or "203.0.113.9",
            "web_id": str(known.web_id),
            "merges": self._merges(known),
        }

    def _merges(self, member: Member) -> dict[str, Any]:
        groups = self._audience.interest_categories.values()
        names = [name for group in groups for key, name in group["interests"].items() if member.interests.get(key)]
        values = {tag: member.merge_fields.get(tag, "") for tag in self._audience.merge_fields}
        return {"EMAIL": member.email_address, **values, "INTERESTS": ",".join(names)}


def form_of(tree: Mapping[str, Any]) -> bytes:
    """A tree as a form with PHP's bracket keys."""
    return urlencode(list(_leaves(tree))).encode()


def _leaves(tree: Mapping[str, Any], root: str = "") -> Iterator[tuple[str, str]]:
    for name, value in tree.items():
        key = f"{root}[{name}]" if root else name
        if isinstance(value, Mapping):
            yield from _leaves(value, key)
        elif isinstance(value, Iterable) and not isinstance(value, str):
            yield from _leaves({str(number): entry for number, entry in enumerate(value)}, key)
        else:
            yield key, str(value)


@functools.cache
def _tls() -> ssl.SSLContext:
    """Takes longer to make than a delivery."""
    return ssl.create_default_context()


def _unique_id(address: str) -> str:
    return digest("unique", address.strip().lower(), length=10)


_FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def _marketing_signature(secret: str) -> Sign:
    def sign(body: bytes, now: datetime) -> Mapping[str, str]:
        if not secret:
            return _FORM
        stamp = str(int(now.timestamp()))
        made = hmac.new(secret.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
        return {**_FORM, "X-Mailchimp-Signature": f"t={stamp},v1={made}"}

    return sign


def _transactional_signature(url: str, key: str) -> Sign:
    def sign(body: bytes, now: datetime) -> Mapping[str, str]:
        form = httpx.QueryParams(body.decode())
        signed = url + "".join(f"{name}{value}" for name, value in sorted(form.multi_items()))
        made = hmac.new(key.encode(), signed.encode(), hashlib.sha1).digest()
        return {**_FORM, "X-Mandrill-Signature": base64.b64encode(made).decode()}

    return sign
