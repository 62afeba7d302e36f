"""Member resources: single ones, the bulk call, tags, archive and permanent deletion."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from ._mailchimp_audience import Audience, Member, digest
from ._mailchimp_bodies import BULK_MEMBERS, MEMBER_PATCH, MEMBER_POST, MEMBER_PUT, TAGS
from ._mailchimp_checks import parse_time
from ._mailchimp_problems import FieldError, Problem
from ._mailchimp_routes import COLLECTION, ITEM, Call, Route, links, page

__all__ = ["MemberResources"]

LIST = "/lists/{list_id}"
MEMBERS = f"{LIST}/members"
MEMBER = f"{MEMBERS}/{{subscriber_hash}}"
_MEMBER_QUERY = (
    f"{COLLECTION} email_type status since_timestamp_opt before_timestamp_opt since_last_changed before_last_changed "
    "unique_email_id vip_only interest_category_id interest_ids interest_match sort_field sort_dir "
    "since_last_campaign unsubscribed_since"
)
_PLAIN = ("email_type", "language", "vip", "location", "ip_signup", "ip_opt")
_LANGUAGES = frozenset(
    "en ar af be bg ca zh hr cs da nl et fa fi fr fr_CA de el he hi hu is id ga it ja km ko lv lt mt ms mk no pl pt "
    "pt_PT ro ru sr sk sl es es_ES sw sv ta th tr uk vi".split()
)


class MemberResources:
    """Routes under `/lists/{list_id}` that read and write members.

    Args:
        audience: the members and their rules.
        bulk_status_if_new: what the bulk call does with `status_if_new`: `"honour"` it; `"ignore"` it, so that a new
            member without `status` is an error of its own; `"refuse"` the whole call as older servers' schema did.
    """

    def __init__(self, audience: Audience, *, bulk_status_if_new: str = "honour") -> None:
        self.audience = audience
        self.bulk_status_if_new = bulk_status_if_new

    def routes(self) -> list[Route]:
        skip = "skip_merge_validation"
        return [
            Route(
                method="POST",
                template=LIST,
                run=self.bulk,
                query=f"{skip} skip_duplicate_check",
                body=BULK_MEMBERS,
            ),
            Route(method="GET", template=MEMBERS, run=self.browse, query=_MEMBER_QUERY, sample=self._sample_page),
            Route(method="POST", template=MEMBERS, run=self.create, query=skip, body=MEMBER_POST),
            Route(method="GET", template=MEMBER, run=self.get, query=ITEM, sample=self._sample),
            Route(method="PUT", template=MEMBER, run=self.put, query=skip, body=MEMBER_PUT),
            Route(method="PATCH", template=MEMBER, run=self.patch, query=skip, body=MEMBER_PATCH),
            Route(method="DELETE", template=MEMBER, run=self.delete),
            Route(method="POST", template=f"{MEMBER}/actions/delete-permanent", run=self.delete_for_good),
            Route(method="GET", template=f"{MEMBER}/tags", run=self.list_tags, query=COLLECTION, sample=_tag_sample),
            Route(method="POST", template=f"{MEMBER}/tags", run=self.change_tags, body=TAGS),
            Route(method="GET", template=f"{LIST}/tag-search", run=self.search_tags, query="name"),
        ]

    # Reading

    def get(self, call: Call) -> dict[str, Any]:
        return self.render(self._find(call), call.href)

    def browse(self, call: Call) -> dict[str, Any]:
        chosen = [member for member in self.audience.members.values() if self._is_asked(member, call)]
        if field := call.query.get("sort_field"):
            epoch = datetime.min.replace(tzinfo=UTC)
            chosen.sort(key=lambda m: getattr(m, field) or epoch, reverse=call.query.get("sort_dir") == "DESC")
        bare = call.omits("members", "_links")
        return page(
            call,
            "members",
            chosen,
            lambda member: self.render(member, None if bare else f"{call.href}/{member.id}"),
            list_id=self.audience.list_id,
        )

    def _is_asked(self, member: Member, call: Call) -> bool:
        query = call.query
        # Without a status archived contacts stay out of sight.
        if member.status != query["status"] if "status" in query else member.status == "archived":
            return False
        if "email_type" in query and member.email_type != query["email_type"]:
            return False
        if "unique_email_id" in query and member.unique_email_id != query["unique_email_id"]:
            return False
        if call.flag("vip_only") and not member.vip:
            return False
        if not _matches_interests(member, query):
            return False
        return (
            _is_between(member.last_changed, call.time("since_last_changed"), call.time("before_last_changed"))
            and _is_between(member.timestamp_opt, call.time("since_timestamp_opt"), call.time("before_timestamp_opt"))
            and _is_between(member.unsubscribed_at, call.time("unsubscribed_since"), None)
        )

    # Writing one member

    def create(self, call: Call) -> dict[str, Any]:
        body = call.body
        self._check_shape([body], "")
        email = self.audience.check_address(body["email_address"])
        held = self.audience.members.get(email)
        if held is not None and held.status != "archived":
            raise _member_exists(email)
        member = self._write(held, email, body, body["status"], skip_required=call.flag("skip_merge_validation"))
        self.audience.set_tags(member, add=body.get("tags") or ())
        return self.render(member, f"{call.href}/{member.id}")

    def put(self, call: Call) -> dict[str, Any]:
        body = call.body
        self._check_shape([body], "")
        email = self.audience.check_address(body["email_address"])
        held = self.audience.members.find(call.ids["subscriber_hash"])
        if held is None and email in self.audience.members:
            raise _member_exists(email)
        status = body.get("status") or (None if held else body.get("status_if_new"))
        if held is None and status is None:
            raise Problem.invalid(("", "Required fields were not provided: status_if_new"))
        member = self._write(held, email, body, status, skip_required=call.flag("skip_merge_validation"))
        if held is None:
            self.audience.set_tags(member, add=body.get("tags") or ())
        return self.render(member, f"{call.href.rsplit('/', 1)[0]}/{member.id}")

    def patch(self, call: Call) -> dict[str, Any]:
        member, body = self._find(call), call.body
        body = {"email_address": member.email_address, **body}
        self._check_shape([body], "")
        email = self.audience.check_address(body["email_address"])
        skip = call.flag("skip_merge_validation") or "merge_fields" not in body
        member = self._write(member, email, body, body.get("status"), skip_required=skip)
        return self.render(member, f"{call.href.rsplit('/', 1)[0]}/{member.id}")

    def delete(self, call: Call) -> None:
        self.audience.archive(self._find(call).key)

    def delete_for_good(self, call: Call) -> None:
        self.audience.forget(self._find(call).key)

    def _find(self, call: Call) -> Member:
        member = self.audience.members.find(call.ids["subscriber_hash"])
        if member is None:
            raise Problem.not_found()
        return member

    def _check_shape(self, bodies: Iterable[Mapping[str, Any]], path: str) -> None:
        """What spoils the whole request whichever member it comes from."""
        errors: list[FieldError] = []
        for index, body in enumerate(bodies):
            where = f"{path}.item:{index}.merge_fields" if path else "merge_fields"
            errors += self.audience.merge_fields.schema_errors(body.get("merge_fields") or {}, where)
        if errors:
            raise Problem.invalid(*errors)
        self.audience.check_poison(body["email_address"] for body in bodies)

    def _write(
        self, member: Member | None, email: str, body: Mapping[str, Any], status: str | None, *, skip_required: bool
    ) -> Member:
        """Create or change one member whole, or raise and change nothing."""
        audience = self.audience
        other = audience.members.get(email)
        if member is not None and other is not None and other is not member:
            raise _member_exists(email)
        values, errors = audience.merge_fields.accept(
            body.get("merge_fields") or {}, member.merge_fields if member else {}, skip_required=skip_required
        )
        if errors:
            raise Problem.refused("Your merge fields were invalid.", *errors)
        self._check_choices(body)
        if member is None:
            member = audience.add_member(email, status or "subscribed")
            member.timestamp_opt = audience.now() if status == "subscribed" else None
            if status == "unsubscribed":
                audience.set_status(member, status, "N/A (Unsubscribed by an admin)")
        else:
            if status is not None:
                audience.move(member, status)
            if email != member.email_address:
                audience.change_address(member, email)
        member.merge_fields = values
        _apply(member, body)
        return audience.touch(member)

    def _check_choices(self, body: Mapping[str, Any]) -> None:
        interests = {
            entry for category in self.audience.interest_categories.values() for entry in category["interests"]
        }
        if unknown := set(body.get("interests") or ()) - interests:
            raise Problem.refused(
                "Your interests were invalid.", *((key, "Unknown interest") for key in sorted(unknown))
            )
        asked = {entry.get("marketing_permission_id") for entry in body.get("marketing_permissions") or ()}
        if asked - set(self.audience.permissions):
            raise Problem.refused("Your marketing permissions were invalid.")

    # Writing many

    def bulk(self, call: Call) -> dict[str, Any]:
        bodies: list[dict[str, Any]] = call.body["members"]
        self._check_bulk(bodies)
        self._check_shape(bodies, "members")
        new: list[Member] = []
        updated: list[Member] = []
        errors: list[dict[str, str]] = []
        seen: set[str] = set()
        for body in bodies:
            key = body["email_address"].strip().lower()
            try:
                member, created = self._write_of_many(call, body, repeated=key in seen)
                if key not in seen:
                    (new if created else updated).append(member)
            except Problem as problem:
                errors.append(_bulk_error(body["email_address"].strip(), problem))
            seen.add(key)
        return {
            "new_members": [self.render(member, f"{call.href}/members/{member.id}") for member in new],
            "updated_members": [self.render(member, f"{call.href}/members/{member.id}") for member in updated],
            "errors": errors,
            "total_created": len(new),
            "total_updated": len(updated),
            "error_count": len(errors),
            "_links": links("Lists", call.href, "self", "parent"),
        }

    def _check_bulk(self, bodies: list[dict[str, Any]]) -> None:
        if self.bulk_status_if_new == "refuse" and (
            errors := [
                (f"members.item:{index}.status_if_new", "Schema does not describe a property of this name")
                for index, body in enumerate(bodies)
                if "status_if_new" in body
            ]
        ):
            raise Problem.invalid(*errors)
        if self.bulk_status_if_new == "honour" and (
            errors := [
                (f"members.item:{index}", "Required fields were not provided: status")
                for index, body in enumerate(bodies)
                if not body.get("status") and not body.get("status_if_new")
            ]
        ):
            raise Problem.invalid(*errors)

    def _write_of_many(self, call: Call, body: Mapping[str, Any], *, repeated: bool) -> tuple[Member, bool]:
        email = self.audience.check_address(body["email_address"])
        held = self.audience.members.get(email)
        if repeated and not call.flag("skip_duplicate_check"):
            raise Problem.refused(f"{email} appears more than once in this request.")
        if held is not None and not call.body.get("update_existing", False) and not repeated:
            raise Problem(400, _EXISTS, f"{email} is already a list member")
        status = None if repeated else body.get("status")
        if held is None and status is None:
            status = body.get("status_if_new") if self.bulk_status_if_new == "honour" else None
            if status is None:
                raise Problem.refused("Required fields were not provided: status")
        member = self._write(held, email, body, status, skip_required=call.flag("skip_merge_validation"))
        tags = body.get("tags")
        if tags is not None:
            # With sync_tags the given tags replace all others, marketing's own included.
            drop = member.tags if call.body.get("sync_tags") else ()
            self.audience.set_tags(member, remove=[name for name in drop if name not in tags], add=tags)
        return member, held is None

    # Tags

    def list_tags(self, call: Call) -> dict[str, Any]:
        member = self._find(call)
        return page(
            call,
            "tags",
            member.tags,
            lambda name: {**_tag(name), "date_added": _stamp(member.tag_dates.get(name, member.last_changed))},
        )

    def change_tags(self, call: Call) -> None:
        member = self._find(call)
        self.audience.check_poison([member.email_address])
        for tag in call.body["tags"]:
            self.audience.set_tags(member, **{"add" if tag["status"] == "active" else "remove": [tag["name"]]})
        self.audience.touch(member)

    def search_tags(self, call: Call) -> dict[str, Any]:
        prefix = call.query.get("name", "").lower()
        names = sorted({name for member in self.audience.members.values() for name in member.tags})
        found = [_tag(name) for name in names if name.lower().startswith(prefix)]
        return {"tags": found, "total_items": len(found), "_links": links("Tags", call.href, "self", "parent")}

    # Showing

    def render(self, member: Member, href: str | None) -> dict[str, Any]:
        """The member document; without `href` it has no `_links`."""
        audience = self.audience
        values = audience.merge_fields.shown(member.merge_fields)
        document: dict[str, Any] = {
            "id": member.id,
            "email_address": member.email_address,
            "unique_email_id": member.unique_email_id,
            "contact_id": member.contact_id,
            "full_name": f"{values.get('FNAME', '')} {values.get('LNAME', '')}".strip(),
            "web_id": member.web_id,
            "email_type": member.email_type,
            "status": member.status,
            "consents_to_one_to_one_messaging": True,
            "merge_fields": values,
            "interests": {
                key: member.interests.get(key, False)
                for category in audience.interest_categories.values()
                for key in category["interests"]
            },
            "stats": {"avg_open_rate": 0, "avg_click_rate": 0},
            "ip_signup": member.ip_signup,
            "timestamp_signup": _stamp(member.timestamp_signup),
            "ip_opt": member.ip_opt,
            "timestamp_opt": _stamp(member.timestamp_opt),
            "member_rating": 2,
            "last_changed": _stamp(member.last_changed),
            "language": member.language,
            "vip": member.vip,
            "email_client": "",
            "location": {"latitude": 0, "longitude": 0, "gmtoff": 0, "dstoff": 0, **_NOWHERE, **member.location},
            "source": member.source,
            "tags_count": len(member.tags),
            "tags": [_tag(name) for name in member.tags[:50]],
            "list_id": audience.list_id,
        }
        if member.unsubscribe_reason is not None and member.status == "unsubscribed":
            document["unsubscribe_reason"] = member.unsubscribe_reason
        if audience.permissions:
            document["marketing_permissions"] = [
                {
                    "marketing_permission_id": key,
                    "text": text,
                    "enabled": member.marketing_permissions.get(key, False),
                }
                for key, text in audience.permissions.items()
            ]
        if href is not None:
            document["_links"] = links(
                "Lists/Members", href, "self", "parent", "update", "upsert", "delete", **_BELOW_A_MEMBER
            )
        return document

    def _sample(self) -> dict[str, Any]:
        now = self.audience.now()
        member = Member(
            email_address="a@b.org", status="unsubscribed", last_changed=now, unsubscribe_reason="", tags=["a"]
        )
        return {**self.render(member, "/"), **_SELDOM}

    def _sample_page(self) -> dict[str, Any]:
        return {"members": [self._sample()], "list_id": "", "total_items": 0, "_links": links("", "/", "self")}


_EXISTS = "Member Exists"
_NOWHERE = {"country_code": "", "timezone": "", "region": ""}
# Names that may be asked for though most members do not have them.
_SELDOM = {
    "marketing_permissions": [{"marketing_permission_id": "", "text": "", "enabled": False}],
    "last_note": {"note_id": 0, "created_at": "", "created_by": "", "note": ""},
    "stats": {
        "avg_open_rate": 0,
        "avg_click_rate": 0,
        "ecommerce_data": {"total_revenue": 0, "number_of_orders": 0, "currency_code": ""},
    },
    "sms_phone_number": "",
    "sms_subscription_status": "",
    "sms_subscription_last_updated": "",
}
_BELOW_A_MEMBER = {
    "activity": "GET activity",
    "goals": "GET goals",
    "notes": "GET notes",
    "events": "POST events",
    "delete_permanent": "POST actions/delete-permanent",
}


def _tag_sample() -> dict[str, Any]:
    return {"tags": [{**_tag("a"), "date_added": ""}], "total_items": 0, "_links": links("", "/", "self")}


def _tag(name: str) -> dict[str, Any]:
    return {"id": int(digest("tag", name.lower(), length=6), 16), "name": name}


def _stamp(moment: datetime | None) -> str:
    return "" if moment is None else moment.isoformat()


def _member_exists(email: str) -> Problem:
    return Problem(400, _EXISTS, f"{email} is already a list member. Use PUT to insert or update list members.")


def _bulk_error(email: str, problem: Problem) -> dict[str, str]:
    field, message = problem.errors[0] if problem.errors else ("", "")
    return {
        "email_address": email,
        "error": problem.detail,
        "error_code": "ERROR_CONTACT_EXISTS" if problem.title == _EXISTS else "ERROR_GENERIC",
        "field": field,
        "field_message": message,
    }


def _apply(member: Member, body: Mapping[str, Any]) -> None:
    """The plain properties of a write; one that is absent or null stays as it was."""
    for name in _PLAIN:
        if body.get(name) is not None:
            setattr(member, name, body[name])
    if member.language and member.language not in _LANGUAGES:
        member.language = ""
    for name in ("timestamp_signup", "timestamp_opt"):
        if body.get(name):
            setattr(member, name, parse_time(body[name]))
    member.interests |= body.get("interests") or {}
    for permission in body.get("marketing_permissions") or ():
        member.marketing_permissions[permission["marketing_permission_id"]] = permission.get("enabled", False)


def _is_between(moment: datetime | None, after: datetime | None, before: datetime | None) -> bool:
    """Both ends are exclusive."""
    if moment is None:
        return after is None and before is None
    return (after is None or moment > after) and (before is None or moment < before)


def _matches_interests(member: Member, query: Mapping[str, str]) -> bool:
    if "interest_ids" not in query:
        return True
    held = [member.interests.get(key, False) for key in query["interest_ids"].split(",")]
    match query.get("interest_match", "any"):
        case "all":
            return all(held)
        case "none":
            return not any(held)
        case _:
            return any(held)
