"""`sink.webhooks`: what Mailchimp tells of one audience by itself, and to which address.

A webhook's deliveries are signed with a secret that only the answer to its creation tells. So it is stored in the same
step, and a webhook whose secret is lost is replaced by a new one.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Literal, TypeAlias
from urllib.parse import urlsplit

import attrs

from .._http import checked_url
from ..errors import ConfigurationError, ContractError, MLConnectorError, RecordNotFoundError, VaultError
from ..protocols import Vault
from ._audience import AudienceReader
from ._client import MailchimpClient, json_object
from ._wire import SYSTEM, RefusedError, path

__all__ = ["SaveSecret", "Webhook", "Webhooks", "webhook_secret_name"]

log = logging.getLogger("mlconnector_sdk.mailchimp")

SaveSecret: TypeAlias = Callable[[str], object]

EVENTS = ("subscribe", "unsubscribe", "profile", "cleaned", "upemail")
"""What is asked for unless the caller says otherwise: all that happens to members."""

_ALL_EVENTS = (*EVENTS, "campaign")
_NEWER_EVENTS = ("sms_subscribe", "sms_unsubscribe")

# What is left out has undocumented defaults, so everything is sent. Our own writes are not told back to us.
_SOURCES = {"user": True, "admin": True, "api": False}


def _host(url: str) -> str:
    # The path may hold a secret.
    return repr(f"{urlsplit(url).scheme}://{urlsplit(url).netloc}/…")


@attrs.frozen(kw_only=True)
class Webhook:
    """One webhook of an audience.

    Attributes:
        events: what is told, in the vendor's words: `subscribe`, `unsubscribe`, `profile`, `cleaned`, `upemail`, …
        sources: whose doings are told: `user` (the contact), `admin`, `api`.
        signed: deliveries carry a signature.
        secret_name: where `ensure` keeps the secret in the vault; `""` where it keeps none there.
        outcome: what `ensure` did about it.
    """

    id: str
    url: str = attrs.field(repr=_host)
    events: frozenset[str] = frozenset()
    sources: frozenset[str] = frozenset()
    signed: bool = False
    secret_name: str = ""
    outcome: Literal["created", "updated", "unchanged"] = "unchanged"


def webhook_secret_name(list_id: str, url: str) -> str:
    """What the secret of this audience's webhook to this URL is called in a vault, unless a name is given."""
    return f"mailchimp webhook {list_id} {hashlib.sha256(url.encode()).hexdigest()[:8]}"


@attrs.frozen
class _SafePlace:
    """Where a secret goes, and whether there is one already."""

    save: SaveSecret
    filled: Callable[[], bool]
    name: str = ""


class Webhooks:
    """The webhooks of one audience. Let one process at a time change them."""

    def __init__(self, client: MailchimpClient, reader: AudienceReader, list_id: str) -> None:
        self._client = client
        self._reader = reader
        self._list_id = list_id
        self._root = f"{reader.root}/webhooks"

    def list(self) -> tuple[Webhook, ...]:
        """All webhooks of the audience, those of other programs too.

        Raises:
            ConfigurationError: there is no such audience.
        """
        return tuple(_webhook(row) for row in self._rows())

    def ensure(
        self,
        url: str,
        *,
        events: Collection[str] = EVENTS,
        vault: Vault | None = None,
        save_secret: SaveSecret | None = None,
        name: str = "",
        signed: bool = True,
        renew: bool = False,
    ) -> Webhook:
        """See to it that Mailchimp tells this URL of these events, and nobody of what the API itself does.

        What is right already is left alone, so this may be called at every start. Mailchimp asks the URL by GET before
        it saves a webhook: the receiver must run already.

        Args:
            url: where deliveries go; the receiver's public address.
            events: what to tell.
            vault: keeps the signing secret. Where it has none, the webhook is replaced to get one.
            save_secret: told the signing secret instead, at creation only. While it raises, there is no webhook.
            name: of the secret in the vault; `webhook_secret_name` unless given. One name for one URL.
            signed: `False` for receivers that trust a secret in the URL instead; then nothing is stored.
            renew: replace the webhook and its secret, for one that was lost or became known.

        Raises:
            ConfigurationError: there is no place for the secret, no such audience or event, Mailchimp cannot reach the
                URL, or the vault cannot be read.
            ContractError: this account's new webhooks are not signed; there is no webhook then.
            TransientError, FatalError: as with every call; repeating is harmless.
        """
        checked_url(url, SYSTEM)
        wanted = {"events": _events(events), "sources": _SOURCES}
        place = self._place(url, vault, save_secret, name) if signed else None
        found = self._find(url)
        if found is not None and (renew or (place is not None and not (_signed(found) and place.filled()))):
            self._delete(found["id"])
            found = None
        if found is None:
            return self._created(url, wanted, place)
        secret_name = place.name if place is not None else ""
        if all(_flags(found.get(part)) == _flags(flags) for part, flags in wanted.items()):
            return attrs.evolve(_webhook(found), secret_name=secret_name)
        row = self._saved("PATCH", f"{self._root}{path(found['id'])}", wanted)
        return attrs.evolve(_webhook({**found, **row}), secret_name=secret_name, outcome="updated")

    def remove(self, url: str) -> bool:
        """Take the webhook to this URL away; `False` when there is none. A secret in a vault stays there."""
        found = self._find(url)
        if found is not None:
            self._delete(found["id"])
        return found is not None

    def _place(self, url: str, vault: Vault | None, save_secret: SaveSecret | None, name: str) -> _SafePlace:
        if (vault is None) == (save_secret is None):
            raise ConfigurationError(
                "a webhook's signing secret is told once: say where to keep it, by vault= or by save_secret=",
                system=SYSTEM,
            )
        if vault is None:
            assert save_secret is not None
            return _SafePlace(save_secret, lambda: True)
        kept = name or webhook_secret_name(self._list_id, url)
        return _SafePlace(lambda secret: vault.put(kept, secret), lambda: _has(vault, kept), kept)

    def _created(self, url: str, wanted: Mapping[str, Any], place: _SafePlace | None) -> Webhook:
        """A new webhook, its secret in place. Whether signing has to be asked for is not documented: it is tried."""
        for asking in ({}, {"signing_enabled": True}):
            row = self._posted({"url": url, **wanted, **asking})
            hook = attrs.evolve(_webhook({"url": url, **row}), outcome="created")
            if place is None:
                return hook
            if secret := row.get("signing_secret"):
                self._keep(hook, str(secret), place)
                return attrs.evolve(hook, signed=True, secret_name=place.name)
            self._delete(hook.id)
        raise ContractError(
            "Mailchimp gave the new webhook no signing secret, so it was taken away again: this account's webhooks are "
            "not signed; put a secret into the URL and use signed=False",
            system=SYSTEM,
            operation="POST webhook",
            reason="webhook_unsigned",
        )

    def _keep(self, hook: Webhook, secret: str, place: _SafePlace) -> None:
        """Store the secret, or take the webhook away again: nobody could verify what it delivers."""
        try:
            place.save(secret)
        except BaseException as error:
            try:
                self._delete(hook.id)
            except MLConnectorError as second:
                error.add_note(f"webhook {hook.id} is still there, without its secret: ensure(…, renew=True) mends it")
                log.warning("a webhook whose secret could not be stored stays: %s", second.reason)
            raise

    def _posted(self, body: Mapping[str, Any]) -> dict[str, Any]:
        try:
            return self._saved("POST", self._root, body)
        except ConfigurationError as error:
            stray = self._find(body["url"]) if error.reason == "webhook_exists" else None
            if stray is None:
                raise
        # Made by a call whose answer got lost, and the secret with it.
        self._delete(stray["id"])
        return self._saved("POST", self._root, body)

    def _saved(self, method: str, url: str, body: Mapping[str, Any]) -> dict[str, Any]:
        try:
            return json_object(self._client.send(method, url, body, operation=f"{method} webhook"))
        except RefusedError as error:
            raise _refused(error) from None

    def _delete(self, webhook_id: str) -> None:
        try:
            self._client.send("DELETE", f"{self._root}{path(webhook_id)}", operation="DELETE webhook")
        except RecordNotFoundError:
            log.debug("the webhook was gone already")

    def _find(self, url: str) -> dict[str, Any] | None:
        return next((row for row in self._rows() if row.get("url") == url), None)

    def _rows(self) -> Sequence[dict[str, Any]]:
        try:
            # This collection is not paged.
            rows = self._client.get(self._root, operation="GET webhooks").get("webhooks")
        except RecordNotFoundError:
            raise ConfigurationError(
                self._reader.unknown_audience(), system=SYSTEM, reason="unknown_audience"
            ) from None
        return [row for row in rows or () if isinstance(row, dict) and row.get("id")]


def _events(events: Collection[str]) -> dict[str, bool]:
    known = (*_ALL_EVENTS, *_NEWER_EVENTS)
    unknown = sorted(set(events) - set(known))
    if unknown or isinstance(events, str) or not events:
        raise ConfigurationError(
            f"events must be some of {', '.join(known)}, not {', '.join(unknown) or 'none'}", system=SYSTEM
        )
    # Older accounts may not know the newer ones: these are named only where they are wanted.
    return {event: event in events for event in known if event in events or event in _ALL_EVENTS}


def _has(vault: Vault, name: str) -> bool:
    try:
        return bool(vault.get(name))
    except VaultError as error:
        if error.reason != "no_secret":
            raise
        return False
    except (ConfigurationError, LookupError):
        return False


def _signed(row: Mapping[str, Any]) -> bool:
    # Webhooks from before signing say `false`; an answer that says nothing cannot tell the two apart.
    return bool(row.get("signing_enabled", True))


def _flags(flags: Any) -> frozenset[str]:
    return frozenset(str(name) for name, on in flags.items() if on) if isinstance(flags, Mapping) else frozenset()


def _webhook(row: Mapping[str, Any]) -> Webhook:
    return Webhook(
        id=str(row.get("id") or ""),
        url=str(row.get("url") or ""),
        events=_flags(row.get("events")),
        sources=_flags(row.get("sources")),
        signed=bool(row.get("signing_enabled")),
    )


def _refused(error: RefusedError) -> ConfigurationError:
    exists = error.reason == "webhook_exists"
    message = (
        "the audience has a webhook with this URL in another spelling: take the one of webhooks.list()"
        if exists
        # The vendor's words without any URL, which may hold a secret.
        else f"Mailchimp refused the webhook ({re.sub(r'https?://[^ ]+', '…', error.problem.wording)}): it asks the "
        "URL by GET and wants 2xx within seconds; check that the receiver runs, can be reached from the internet, "
        "answers GET without sign-in, and that its certificate is good"
    )
    return ConfigurationError(
        message,
        system=SYSTEM,
        operation=error.operation,
        status_code=error.status_code,
        request_id=error.request_id,
        reason="webhook_exists" if exists else "webhook_refused",
    )
