"""Reading one audience: its settings, merge fields, members that changed, and single members."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import attrs

from ..errors import ConfigurationError, RecordNotFoundError
from ..models import Audience, AudienceMember, MemberStatus, MergeField, member_id
from ._choices import check_permissions, interest_ids
from ._client import LARGEST_PAGE, MailchimpClient
from ._wire import SYSTEM, RefusedError, address_key, path

__all__ = ["AudienceReader", "create_merge_field"]

FORGOTTEN_HOST = "@forgotten.mailchimp.com"

_MEMBER_FIELDS = ",".join(
    f"members.{name}" for name in ("id", "email_address", "status", "last_changed", "unsubscribe_reason")
)


class AudienceReader:
    """Reads the audience `list_id`; writes nothing."""

    def __init__(self, client: MailchimpClient, list_id: str) -> None:
        self._client = client
        self._list_id = list_id
        self.root = path("lists", list_id)

    def audience(
        self, wanted: Sequence[MergeField], *, interests: Sequence[str] = (), permissions: Sequence[str] = ()
    ) -> Audience:
        """The audience as it is, and which of the wanted merge fields it lacks.

        Args:
            wanted: merge fields.
            interests, permissions: names that must be there; nothing is read of them when there are none.

        Raises:
            ConfigurationError: the account has no such audience, or that lacks an interest or permission; the message
                lists those it has.
        """
        try:
            settings = self._client.get(
                self.root,
                operation="GET audience",
                fields="id,name,double_optin,marketing_permissions,stats.member_count",
            )
        except RecordNotFoundError:
            raise ConfigurationError(self.unknown_audience(), system=SYSTEM, reason="unknown_audience") from None
        fields = self.merge_fields()
        offered = bool(settings.get("marketing_permissions"))
        check_permissions(self._client, self.root, permissions, offered=offered)
        return Audience(
            list_id=self._list_id,
            name=str(settings.get("name", "")),
            double_optin=bool(settings.get("double_optin")),
            member_count=int((settings.get("stats") or {}).get("member_count") or 0),
            merge_fields=fields,
            missing=tuple(field for field in wanted if field.tag not in fields),
            interests=interest_ids(self._client, self.root, interests),
        )

    def unknown_audience(self) -> str:
        """Why `list_id` is wrong, with the audiences that exist."""
        known = self._client.get_all("/lists", "lists", operation="GET audiences", fields="id name")
        names = ", ".join(f"{entry.get('id')} ({entry.get('name')})" for entry in known[:20])
        return f"the account has no audience {self._list_id!r}; it has {names or 'none at all'}"

    def merge_fields(self) -> dict[str, MergeField]:
        """The audience's merge fields by tag."""
        rows = self._client.get_all(
            f"{self.root}/merge-fields",
            "merge_fields",
            operation="GET merge fields",
            fields="tag name type required options",
        )
        return {field.tag: field for row in rows if (field := _merge_field(row)) is not None}

    def member(self, address: str) -> AudienceMember | None:
        """One member as it is now, archived ones included; `None` when the audience never had it."""
        try:
            row = self._client.get(
                f"{self.root}/members/{member_id(address)}",
                operation="GET member",
                fields="email_address,status,last_changed,unsubscribe_reason,merge_fields",
            )
        except RecordNotFoundError:
            return None
        return _member(row)

    def changed_members(self, since: datetime | None) -> Iterator[Sequence[AudienceMember]]:
        """Members changed at or after `since`, oldest change first; archived ones in pages of their own.

        Rows that change while we page leave the asked span and are met by the next reading.
        """
        # `since_last_changed` is exclusive and stamps are whole seconds.
        lower = since.astimezone(UTC).replace(microsecond=0) - timedelta(seconds=1) if since else None
        upper = self._client.present() + timedelta(seconds=1)
        return self._walked(_MEMBER_FIELDS, lower, upper)

    def all_members(self, merge_tags: Sequence[str] = ()) -> Iterator[Sequence[AudienceMember]]:
        """Every member with these merge fields, the one that changed last at the end; archived ones after all others.

        A row that changes while we page comes again further on, so none is missed.
        """
        merge_fields = "".join(f",members.merge_fields.{tag}" for tag in merge_tags)
        return self._walked(f"{_MEMBER_FIELDS},members.contact_id{merge_fields}", None, None)

    def _walked(
        self, fields: str, lower: datetime | None, upper: datetime | None
    ) -> Iterator[Sequence[AudienceMember]]:
        for status in ("", "archived"):
            for rows in _Walk(self._client, f"{self.root}/members", fields, lower, upper, status):
                found = [
                    _member(row)
                    for row in rows
                    # Archived members have a walk of their own, whether or not this one tells of them.
                    if (status or row.get("status") != "archived")
                    and not str(row.get("email_address", "")).lower().endswith(FORGOTTEN_HOST)
                ]
                if found:
                    yield found


def create_merge_field(client: MailchimpClient, root: str, field: MergeField) -> bool:
    """Create a merge field; `False` when somebody else did meanwhile.

    Raises:
        ConfigurationError: Mailchimp refuses it, for example because the plan's number of fields is used up.
    """
    body: dict[str, Any] = {"tag": field.tag, "name": field.name or field.tag, "type": field.type, "public": False}
    if field.required:
        body["required"] = True
    if field.options:
        body["options"] = dict(field.options)
    try:
        client.send("POST", f"{root}/merge-fields", body, operation="POST merge field")
    except RefusedError as error:
        if error.reason == "already_exists":
            return False
        raise ConfigurationError(
            f"merge field {field.tag} cannot be created ({error.message}): "
            "create it in Mailchimp, free one of the audience's fields, or leave it out of the mapping",
            system=SYSTEM,
            status_code=error.status_code,
            request_id=error.request_id,
            reason="merge_field",
        ) from error
    return True


@attrs.define
class _Walk:
    """Pages through members by their change stamp, not by a growing offset.

    Offsets slip when rows leave the span while we page. So each page starts again at the last stamp seen, and offsets
    serve only within one second's rows, where a change of the total starts that second again.
    """

    client: MailchimpClient
    url: str
    fields: str
    lower: datetime | None
    upper: datetime | None
    status: str
    _seen: set[str] = attrs.field(factory=set, init=False)

    def __iter__(self) -> Iterator[list[dict[str, Any]]]:
        offset, total, restarts = 0, None, 0
        while True:
            page = self._page(offset)
            rows = page.get("members") or []
            now_total = int(page.get("total_items") or 0)
            if offset and now_total != total and restarts < 10:
                offset, total, restarts = 0, None, restarts + 1
                continue
            if fresh := [row for row in rows if row.get("id") not in self._seen]:
                yield fresh
            if not rows or offset + len(rows) >= now_total:
                return
            last = _stamp(rows[-1])
            if last is not None and (self.lower is None or last - timedelta(seconds=1) > self.lower):
                self.lower = last - timedelta(seconds=1)
                self._seen = {row["id"] for row in rows if _stamp(row) == last}
                offset, total, restarts = 0, None, 0
            else:
                self._seen.update(row["id"] for row in rows)
                offset, total = offset + len(rows), now_total

    def _page(self, offset: int) -> dict[str, Any]:
        params: dict[str, str | int] = {
            "sort_field": "last_changed",
            "sort_dir": "ASC",
            "count": LARGEST_PAGE,
            "offset": offset,
            "fields": f"{self.fields},total_items",
        }
        if self.upper is not None:
            params["before_last_changed"] = self.upper.isoformat()
        if self.lower is not None:
            params["since_last_changed"] = self.lower.isoformat()
        if self.status:
            params["status"] = self.status
        return self.client.get(self.url, operation="GET members", **params)


def _stamp(row: Mapping[str, Any]) -> datetime | None:
    try:
        return datetime.fromisoformat(str(row.get("last_changed")))
    except ValueError:
        return None


def _merge_field(row: dict[str, Any]) -> MergeField | None:
    try:
        return MergeField(
            tag=str(row.get("tag", "")),
            type=str(row.get("type", "text")),
            name=str(row.get("name", "")),
            required=bool(row.get("required")),
            options=row.get("options") or {},
        )
    except ValueError:
        # A tag that we could not write to either.
        return None


def _member(row: dict[str, Any]) -> AudienceMember:
    return AudienceMember(
        # Mailchimp keeps the case an address came in; links and suppressions are kept by one form of it.
        address=address_key(str(row.get("email_address", ""))),
        status=cast("MemberStatus", row.get("status", "")),
        last_changed=str(row.get("last_changed", "")),
        reason=str(row.get("unsubscribe_reason") or ""),
        contact_id=str(row.get("contact_id") or ""),
        merge_fields=row.get("merge_fields") or {},
    )
