"""Account, audience settings, merge fields, interest groups and webhooks."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from typing import Any

import attrs
import httpx

from ._mailchimp_audience import Audience, digest
from ._mailchimp_bodies import MERGE_FIELD, MERGE_FIELD_PATCH, WEBHOOK
from ._mailchimp_members import LIST
from ._mailchimp_merge import MergeField
from ._mailchimp_problems import Problem
from ._mailchimp_routes import COLLECTION, ITEM, Call, Route, links, page

__all__ = ["ListResources"]

FIELDS = f"{LIST}/merge-fields"
FIELD = f"{FIELDS}/{{merge_id}}"
GROUPS = f"{LIST}/interest-categories"
GROUP = f"{GROUPS}/{{interest_category_id}}"
HOOKS = f"{LIST}/webhooks"
HOOK = f"{HOOKS}/{{webhook_id}}"
_LISTS_QUERY = (
    f"{COLLECTION} before_date_created since_date_created before_campaign_last_sent since_campaign_last_sent email "
    "sort_field sort_dir has_ecommerce_store include_total_contacts"
)
_EVENTS = ("subscribe", "unsubscribe", "profile", "cleaned", "upemail", "campaign")
_SOURCES = ("user", "admin", "api")
_CONSTRAINTS = {"may_create": True, "max_instances": 5, "current_total_instances": 1}


class ListResources:
    """Routes for the account and for everything of the audience but its members.

    Args:
        audience: the one audience of the account.
        role: the role of the key's user, as `GET /` tells it.
        has_stores: whether a store hangs on the audience.
        check_urls: ask a webhook's URL by GET before it is saved.
        signing: which new webhooks get a secret: `always`, `asked` or `never`.
    """

    def __init__(
        self,
        audience: Audience,
        *,
        role: str,
        has_stores: Callable[[], bool],
        check_urls: bool = False,
        signing: str = "always",
    ) -> None:
        self.audience = audience
        self.role = role
        self._has_stores = has_stores
        self._check_urls = check_urls
        self._signing = signing
        self._hook_numbers = itertools.count(1)

    def routes(self) -> list[Route]:
        groups = {"list_id": "", "id": "", "title": "", "display_order": 0, "type": "", "_links": []}
        interests = {"category_id": "", "list_id": "", "id": "", "name": "", "subscriber_count": "", "display_order": 0}
        return [
            Route(method="GET", template="/ping", run=lambda call: {"health_status": "Everything's Chimpy!"}),
            Route(method="GET", template="/", run=self.root, query=ITEM, sample=self._root),
            Route(method="GET", template="/lists", run=self.lists, query=_LISTS_QUERY, sample=self._sample_lists),
            Route(
                method="GET",
                template=LIST,
                run=lambda call: self._list(call.href),
                query=f"{ITEM} include_total_contacts",
                sample=lambda: self._list("/"),
            ),
            Route(
                method="GET",
                template=FIELDS,
                run=self.list_fields,
                query=f"{COLLECTION} type required",
                sample=lambda: _paged("merge_fields", self._sample_field(), "list_id"),
            ),
            Route(method="POST", template=FIELDS, run=self.create_field, body=MERGE_FIELD),
            Route(method="GET", template=FIELD, run=self.get_field, query=ITEM, sample=self._sample_field),
            Route(method="PATCH", template=FIELD, run=self.patch_field, body=MERGE_FIELD_PATCH),
            Route(method="DELETE", template=FIELD, run=self.delete_field),
            Route(
                method="GET",
                template=GROUPS,
                run=self.list_groups,
                query=f"{COLLECTION} type",
                sample=lambda: _paged("categories", groups, "list_id"),
            ),
            Route(method="GET", template=GROUP, run=self.get_group, query=ITEM, sample=lambda: groups),
            Route(
                method="GET",
                template=f"{GROUP}/interests",
                run=self.list_interests,
                query=COLLECTION,
                sample=lambda: _paged("interests", {**interests, "_links": []}, "list_id", "category_id"),
            ),
            Route(method="GET", template=HOOKS, run=self.list_hooks),
            Route(method="POST", template=HOOKS, run=self.create_hook, body=WEBHOOK),
            Route(method="GET", template=HOOK, run=lambda call: self._hook(self._find_hook(call), call.href)),
            Route(method="PATCH", template=HOOK, run=self.patch_hook, body=WEBHOOK),
            Route(method="DELETE", template=HOOK, run=self.delete_hook),
        ]

    # Account and audience

    def root(self, call: Call) -> dict[str, Any]:
        return self._root()

    def _root(self) -> dict[str, Any]:
        return {
            "account_id": "8d3a3db4d97663a9074efcc16",
            "login_id": "4de5",
            "account_name": self.audience.name,
            "email": "ops@acme-wholesale.org",
            "first_name": "Ops",
            "last_name": "Acme",
            "username": "acmeops",
            "avatar_url": "",
            "role": self.role,
            "member_since": "2016-06-24T13:52:26+00:00",
            "pricing_plan_type": "monthly",
            "first_payment": "2016-07-01T00:00:00+00:00",
            "account_timezone": "US/Eastern",
            "account_industry": "",
            "contact": {
                "company": "Acme",
                "addr1": "1 Main St",
                "addr2": "",
                "city": "Atlanta",
                "state": "GA",
                "zip": "30308",
                "country": "US",
            },
            "pro_enabled": False,
            "last_login": "2026-03-01T10:00:00+00:00",
            "total_subscribers": self._count("subscribed"),
            "industry_stats": {"open_rate": 0.2, "bounce_rate": 0.01, "click_rate": 0.02},
            "_links": links("Root", "/", "self", lists="GET lists"),
        }

    def lists(self, call: Call) -> dict[str, Any]:
        shown = "email" not in call.query or call.query["email"] in self.audience.members
        if "has_ecommerce_store" in call.query:
            shown = shown and call.flag("has_ecommerce_store") == self._has_stores()
        entries = [self._list(f"{call.href}/{self.audience.list_id}")] if shown else []
        return page(call, "lists", entries, lambda entry: entry, constraints=_CONSTRAINTS)

    def _sample_lists(self) -> dict[str, Any]:
        return {**_paged("lists", self._list("/")), "constraints": _CONSTRAINTS}

    def _count(self, *statuses: str) -> int:
        return sum(member.status in statuses for member in self.audience.members.values())

    def _list(self, href: str) -> dict[str, Any]:
        audience = self.audience
        return {
            "id": audience.list_id,
            "web_id": int(digest("list", audience.list_id, length=6), 16),
            "name": audience.name,
            "contact": {
                "company": "Acme",
                "address1": "1 Main St",
                "address2": "",
                "city": "Atlanta",
                "state": "GA",
                "zip": "30308",
                "country": "US",
                "phone": "",
            },
            "permission_reminder": "You are a customer of ours.",
            "use_archive_bar": True,
            "campaign_defaults": {
                "from_name": "Acme",
                "from_email": "ops@acme-wholesale.org",
                "subject": "",
                "language": "en",
            },
            "notify_on_subscribe": "",
            "notify_on_unsubscribe": "",
            "date_created": audience.created_at.isoformat(),
            "list_rating": 0,
            "email_type_option": audience.email_type_option,
            "subscribe_url_short": "http://eepurl.com/acme",
            "subscribe_url_long": "https://acme-wholesale.us6.list-manage.com/subscribe",
            "beamer_address": "us6-acme@inbound.mailchimp.com",
            "visibility": "prv",
            "double_optin": audience.double_optin,
            "has_welcome": False,
            "marketing_permissions": bool(audience.permissions),
            "modules": [],
            "stats": self._stats(),
            "_links": links("Lists", href, "self", "parent", "update", "delete", members="GET members"),
        }

    def _stats(self) -> dict[str, Any]:
        return {
            "member_count": self._count("subscribed"),
            "total_contacts": len(self.audience.members),
            "unsubscribe_count": self._count("unsubscribed"),
            "cleaned_count": self._count("cleaned"),
            "member_count_since_send": 0,
            "unsubscribe_count_since_send": 0,
            "cleaned_count_since_send": 0,
            "campaign_count": 0,
            "campaign_last_sent": "",
            "merge_field_count": len(self.audience.merge_fields),
            "avg_sub_rate": 0,
            "avg_unsub_rate": 0,
            "target_sub_rate": 0,
            "open_rate": 0,
            "click_rate": 0,
            "last_sub_date": "",
            "last_unsub_date": "",
        }

    # Merge fields

    def list_fields(self, call: Call) -> dict[str, Any]:
        fields = [
            field
            for field in self.audience.merge_fields.values()
            if call.query.get("type", field.type) == field.type
            and ("required" not in call.query or call.flag("required") == field.required)
        ]
        return page(
            call,
            "merge_fields",
            fields,
            lambda field: self._field(field, f"{call.href}/{field.merge_id}"),
            list_id=self.audience.list_id,
        )

    def get_field(self, call: Call) -> dict[str, Any]:
        return self._field(self._find_field(call), call.href)

    def create_field(self, call: Call) -> dict[str, Any]:
        body = dict(call.body)
        known = self.audience.merge_fields
        next_id = max((field.merge_id for field in known.values()), default=0) + 1
        tag = self._free_tag(body.pop("tag", "") or f"MMERGE{next_id}")
        if body["type"] in {"radio", "dropdown"} and not body.get("options", {}).get("choices"):
            raise Problem.invalid(("options.choices", "This value should not be blank."))
        field = self.audience.add_merge_field(tag, body.pop("type"), **body)
        return self._field(field, f"{call.href}/{field.merge_id}")

    def patch_field(self, call: Call) -> dict[str, Any]:
        field, body = self._find_field(call), dict(call.body)
        tag = body.pop("tag", field.tag)
        if tag.upper() != field.tag:
            self._rename(field, self._free_tag(tag))
        field.options |= body.pop("options", {})
        for name, value in body.items():
            setattr(field, name, value)
        return self._field(field, call.href)

    def delete_field(self, call: Call) -> None:
        field = self._find_field(call)
        del self.audience.merge_fields[field.tag]
        for member in self.audience.members.values():
            member.merge_fields.pop(field.tag, None)

    def _find_field(self, call: Call) -> MergeField:
        for field in self.audience.merge_fields.values():
            if str(field.merge_id) == call.ids["merge_id"]:
                return field
        raise Problem.not_found()

    def _free_tag(self, tag: str) -> str:
        tag = tag.upper()
        if not re.fullmatch(r"[A-Z0-9_]{1,10}", tag):
            raise Problem.invalid(("tag", "A merge tag has 1 to 10 letters, digits or underscores."))
        if tag in self.audience.merge_fields or tag == "EMAIL":
            raise Problem.refused(f'A Merge Field with the tag "{tag}" already exists for this list.')
        return tag

    def _rename(self, field: MergeField, tag: str) -> None:
        for member in self.audience.members.values():
            if field.tag in member.merge_fields:
                member.merge_fields[tag] = member.merge_fields.pop(field.tag)
        del self.audience.merge_fields[field.tag]
        field.tag = tag
        self.audience.merge_fields[tag] = field

    def _field(self, field: MergeField, href: str) -> dict[str, Any]:
        document = attrs.asdict(field)
        return {
            **document,
            "list_id": self.audience.list_id,
            "_links": links("Lists/MergeFields", href, "self", "parent", "update", "delete"),
        }

    def _sample_field(self) -> dict[str, Any]:
        return self._field(MergeField(merge_id=0, tag="", name=""), "/")

    # Interest groups

    def list_groups(self, call: Call) -> dict[str, Any]:
        groups = [
            group_id
            for group_id, group in self.audience.interest_categories.items()
            if call.query.get("type", group["type"]) == group["type"]
        ]
        return page(
            call,
            "categories",
            groups,
            lambda group_id: self._group(group_id, f"{call.href}/{group_id}"),
            list_id=self.audience.list_id,
        )

    def get_group(self, call: Call) -> dict[str, Any]:
        self._find_group(call)
        return self._group(call.ids["interest_category_id"], call.href)

    def list_interests(self, call: Call) -> dict[str, Any]:
        group = self._find_group(call)
        category_id, list_id = call.ids["interest_category_id"], self.audience.list_id
        return page(
            call,
            "interests",
            list(group["interests"].items()),
            lambda entry: {
                "category_id": category_id,
                "list_id": list_id,
                "id": entry[0],
                "name": entry[1],
                "subscriber_count": str(sum(m.interests.get(entry[0], False) for m in self.audience.members.values())),
                "display_order": list(group["interests"]).index(entry[0]) + 1,
                "_links": links("Lists/Interests", f"{call.href}/{entry[0]}", "self", "parent", "update", "delete"),
            },
            list_id=list_id,
            category_id=category_id,
        )

    def _find_group(self, call: Call) -> dict[str, Any]:
        group = self.audience.interest_categories.get(call.ids["interest_category_id"])
        if group is None:
            raise Problem.not_found()
        return group

    def _group(self, group_id: str, href: str) -> dict[str, Any]:
        group = self.audience.interest_categories[group_id]
        return {
            "list_id": self.audience.list_id,
            "id": group_id,
            "title": group["title"],
            "display_order": 0,
            "type": group["type"],
            "_links": links("Lists/InterestCategories", href, "self", "parent", "update", "delete"),
        }

    # Webhooks

    def list_hooks(self, call: Call) -> dict[str, Any]:
        hooks = [self._hook(hook, f"{call.href}/{hook_id}") for hook_id, hook in self.audience.webhooks.items()]
        return {
            "webhooks": hooks,
            "list_id": self.audience.list_id,
            "total_items": len(hooks),
            "_links": links("Lists/Webhooks", call.href, "self", "parent", "create"),
        }

    def create_hook(self, call: Call) -> dict[str, Any]:
        url = call.body.get("url", "")
        self._check_hook_url(url)
        number = next(self._hook_numbers)
        hook_id = digest("webhook", url, number, length=10)
        signed = self._signing != "never" and call.body.get("signing_enabled", self._signing == "always")
        hook = {
            "id": hook_id,
            "url": url,
            "events": {**dict.fromkeys(_EVENTS, False), **call.body.get("events", {})},
            "sources": {**dict.fromkeys(_SOURCES, False), **call.body.get("sources", {})},
            "signing_enabled": signed,
            "signing_secret": digest("signing", self.audience.list_id, url, number) if signed else "",
        }
        self.audience.webhooks[hook_id] = hook
        # Only this answer tells the secret.
        secret = {"signing_secret": hook["signing_secret"]} if signed else {}
        return {**self._hook(hook, f"{call.href}/{hook_id}"), **secret}

    def patch_hook(self, call: Call) -> dict[str, Any]:
        hook, body = self._find_hook(call), call.body
        if body.get("url", hook["url"]) != hook["url"]:
            self._check_hook_url(body["url"])
        for name, value in body.items():
            hook[name] = {**hook[name], **value} if isinstance(value, dict) else value
        return self._hook(hook, call.href)

    def delete_hook(self, call: Call) -> None:
        del self.audience.webhooks[self._find_hook(call)["id"]]

    def _check_hook_url(self, url: str) -> None:
        if not re.fullmatch(r"https?://\S+", url):
            raise Problem.invalid(("url", "This value is not a valid URL."))
        if any(hook["url"] == url for hook in self.audience.webhooks.values()):
            raise Problem.bad_request("Sorry, you can't set up multiple WebHooks for one URL")
        if self._check_urls:
            _ask(url)

    def _find_hook(self, call: Call) -> dict[str, Any]:
        hook = self.audience.webhooks.get(call.ids["webhook_id"])
        if hook is None:
            raise Problem.not_found()
        return hook

    def _hook(self, hook: dict[str, Any], href: str) -> dict[str, Any]:
        shown = {name: value for name, value in hook.items() if name != "signing_secret"}
        return {
            **shown,
            "list_id": self.audience.list_id,
            "_links": links("Lists/Webhooks", href, "self", "parent", "update", "delete"),
        }


def _ask(url: str) -> None:
    """The look that a URL gets before it is saved; the vendor's own words for a refusal are not known."""
    try:
        answer = httpx.get(url, headers={"User-Agent": "MailChimp"}, timeout=5, trust_env=False)
        said = "" if answer.is_success else f"HTTP {answer.status_code}"
    except httpx.HTTPError:
        said = "no answer"
    if said:
        raise Problem.invalid(("url", f"We could not validate the URL {url}: {said}"))


def _paged(name: str, entry: dict[str, Any], *rest: str) -> dict[str, Any]:
    return {name: [entry], **dict.fromkeys(rest, ""), "total_items": 0, "_links": links("", "/", "self")}
