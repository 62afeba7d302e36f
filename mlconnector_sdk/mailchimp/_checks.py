"""What `sink.check` says: one row for each thing that must be right, with the cure when it is not. Writes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from .._trust import secrecy
from ..errors import (
    AuthenticationError,
    ConfigurationError,
    MLConnectorError,
    PermissionDeniedError,
    ReauthorizationRequiredError,
    TransientError,
)
from ..models import Audience, CheckResult, MergeField, Store
from ._audience import AudienceReader
from ._client import MailchimpClient
from ._ecommerce import StoreKeeper
from ._wire import SYSTEM

__all__ = ["check"]

# Authors and viewers can neither write members nor create merge fields.
_WRITING_ROLES = frozenset({"owner", "admin", "manager"})


def check(
    client: MailchimpClient,
    list_id: str,
    store: Store | None,
    wanted: Sequence[MergeField],
    *,
    interests: Sequence[str] = (),
    permissions: Sequence[str] = (),
) -> Iterator[CheckResult]:
    """The rows, in the order in which things depend on each other; the first that bars the rest is the last."""
    client = client.without_retries()
    reader = AudienceReader(client, list_id)
    yield from secrecy(client.network, SYSTEM, client.http.base_url)
    rows: dict[str, Callable[[], Iterator[CheckResult]]] = {
        "connection": lambda: _connection(client),
        "audience": lambda: _audience(reader, wanted),
    }
    if interests:
        rows["interests"] = lambda: _there("interests", len(reader.audience((), interests=interests).interests))
    if permissions:
        rows["permissions"] = lambda: _permissions(reader, permissions)
    if store is not None:
        rows["store"] = lambda: _store(StoreKeeper(client, store, list_id))
    for what, row in rows.items():
        try:
            yield from row()
        except MLConnectorError as error:
            yield _failed(what, error)
            return


def _connection(client: MailchimpClient) -> Iterator[CheckResult]:
    account = client.get("/", operation="GET account", fields="account_id,account_name,role")
    role = str(account.get("role") or "")
    yield _row("connection", f"account {account.get('account_name')}")
    if role and role.lower() not in _WRITING_ROLES:
        yield _row("role", f"the key's user is {role}", cure="use a key of a user with the role of manager or higher")
    else:
        yield _row("role", role or "not told")


def _audience(reader: AudienceReader, wanted: Sequence[MergeField]) -> Iterator[CheckResult]:
    audience = reader.audience(wanted)
    yield _row("audience", f"{audience.name} ({audience.list_id}), {audience.member_count} subscribed members")
    doubled = "new members must confirm by mail, so they come in as pending" if audience.double_optin else "single"
    yield _row("opt-in", doubled)
    yield from _merge_fields(audience, wanted)


def _merge_fields(audience: Audience, wanted: Sequence[MergeField]) -> Iterator[CheckResult]:
    wrong = [
        f"{field.tag} is {found.type}, not {field.type}"
        for field in wanted
        if (found := audience.merge_fields.get(field.tag)) is not None and not _fits(field.type, found.type)
    ]
    if wrong:
        yield _row(
            "merge fields",
            ", ".join(wrong),
            cure="map to another tag: Mailchimp cannot change the type of a merge field",
        )
        return
    missing = ", ".join(field.tag for field in audience.missing)
    yield _row("merge fields", f"will be created: {missing}" if missing else f"all {len(wanted)} there")


def _permissions(reader: AudienceReader, permissions: Sequence[str]) -> Iterator[CheckResult]:
    reader.audience((), permissions=permissions)
    yield from _there("permissions", len(permissions))


def _there(what: str, count: int) -> Iterator[CheckResult]:
    yield _row(what, f"all {count} there")


def _fits(wanted: str, found: str) -> bool:
    """Text takes whatever can be written as text."""
    return wanted == found or (found == "text" and wanted != "address")


def _store(keeper: StoreKeeper) -> Iterator[CheckResult]:
    settings = keeper.settings()
    name = f"{keeper.store.name} ({keeper.store.id})"
    if settings is None:
        yield _row("store", f"{name} will be created")
    elif settings.get("is_syncing"):
        yield _row("store", f"{name} is marked as syncing, which keeps its automations quiet; the next run ends that")
    elif settings.get("currency_code") not in {None, keeper.store.currency_code}:
        yield _row(
            "store",
            f"{name} has currency {settings.get('currency_code')}, not {keeper.store.currency_code}",
            cure="use a store of its own for each currency",
        )
    else:
        yield _row("store", name)


def _row(what: str, detail: str, *, cure: str = "") -> CheckResult:
    return CheckResult(system=SYSTEM, what=what, ok=not cure, detail=" ".join(detail.split()), cure=cure)


def _failed(what: str, error: MLConnectorError) -> CheckResult:
    return CheckResult(
        system=SYSTEM, what=what, ok=False, detail=" ".join(error.message.split()), cure=_cure(what, error)
    )


def _key_cure(error: AuthenticationError) -> str:
    if isinstance(error, ReauthorizationRequiredError):
        return "let the account's owner connect it again: MailchimpOAuth(…).authorize_url"
    return "create a key in Mailchimp under Account > Extras > API keys and copy it whole, with its -us… ending"


def _cure(what: str, error: MLConnectorError) -> str:
    if isinstance(error, AuthenticationError):
        return _key_cure(error)
    if isinstance(error, PermissionDeniedError):
        return "use a key of a user with the role of manager or higher"
    if isinstance(error, ConfigurationError):
        return "set list_id to the id of an audience that exists" if what == "audience" else "mend the setting"
    if error.reason == "no_connection":
        return "check the ending of the API key (-us…), base_url, DNS and firewall"
    if isinstance(error, TransientError):
        return "try again in a minute; see status.mailchimp.com"
    return "check base_url: it must be the API root with its version, such as https://us6.api.mailchimp.com/3.0"
