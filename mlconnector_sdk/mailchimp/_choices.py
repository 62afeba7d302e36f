"""Interests and marketing permissions of an audience, found by the names that people gave them; reads only."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from ..errors import ConfigurationError
from ._client import MailchimpClient
from ._wire import SYSTEM, path
from ._written import Wanted, named, unknown_name, written

__all__ = ["check_permissions", "interest_ids"]


def interest_ids(client: MailchimpClient, root: str, wanted: Collection[str]) -> dict[str, str]:
    """The id of each wanted interest, by its name as it was wanted: `"Group/Interest"`.

    Raises:
        ConfigurationError: the audience lacks one of them, or has two of its name; the message says what there is.
    """
    if not wanted:
        return {}
    there = list(_interests(client, root, {named(name) for name in wanted}))
    found = {}
    for name in wanted:
        ids = [interest_id for known, interest_id in there if interest_id and named(known) == named(name)]
        if len(ids) != 1:
            raise unknown_name("interest", name, [known for known, _ in there])
        found[name] = ids[0]
    return found


def _interests(client: MailchimpClient, root: str, wanted: Collection[str]) -> Iterable[tuple[str, str]]:
    """Names and ids; of a group that nobody asks for only a name, because each group costs a call."""
    url = f"{root}/interest-categories"
    for group in client.get_all(url, "categories", operation="GET interest groups", fields="id title"):
        title = str(group.get("title") or "")
        if not any(name.startswith(named(f"{title}/")) for name in wanted):
            yield f"{title}/…", ""
            continue
        rows = client.get_all(
            url + path(str(group.get("id")), "interests"), "interests", operation="GET interests", fields="id name"
        )
        for row in rows:
            yield f"{title}/{row.get('name') or ''}", str(row.get("id") or "")


def check_permissions(client: MailchimpClient, root: str, wanted: Sequence[str], *, offered: bool) -> None:
    """Make sure that the audience has these marketing permissions, if that can be seen yet.

    Their names hang on members alone, so those of an audience without any show with the first member that is written.

    Args:
        offered: what the audience's settings say of permissions.

    Raises:
        ConfigurationError: it has none at all, lacks one, or has two of one name; the message says what there is.
    """
    if not wanted:
        return
    if not offered:
        raise ConfigurationError(
            "the audience has no marketing permissions: switch its GDPR fields on in Mailchimp, or leave permissions "
            "out of the mapping",
            system=SYSTEM,
            reason="unknown_permission",
        )
    page = client.get(
        f"{root}/members", operation="GET members", count=1, fields="members.marketing_permissions,total_items"
    )
    members = page.get("members") or []
    if not members:
        return
    known = [text for text, *_ in written(members[0], Wanted(permissions=True)).permissions or ()]
    for name in wanted:
        if sum(named(text) == named(name) for text in known) != 1:
            raise unknown_name("marketing permission", name, known)
