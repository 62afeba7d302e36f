"""Records of which nothing is known: decided the short way, and no other than the long way would decide them."""

from __future__ import annotations

from datetime import UTC, datetime

import attrs
import pytest

from mlconnector_sdk.mapping import MemberMapper, MemberMapping
from mlconnector_sdk.models import Audience, Contact, WriteResult
from mlconnector_sdk.policy import SyncPolicy
from mlconnector_sdk.state import MemoryStateStore
from mlconnector_sdk.sync._members import MemberDecider
from mlconnector_sdk.sync._newcomers import Newcomer

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
PERSON = Contact(key="P1", email="Ann@paper.example", customer_key="C1", raw={"id": 1})
MAPPING = MemberMapping(
    merge_fields={"ERPID": "key"},
    tags=["erp", "of {customer_key}"],
    owned_prefix="erp",
    permissions={"Mail": "raw.mail"},
)
OTHERS = {
    "plain": PERSON,
    "on hold": attrs.evolve(PERSON, status="on_hold"),
    "inactive": attrs.evolve(PERSON, status="inactive"),
    "opted out": attrs.evolve(PERSON, opted_out=True),
    "erased": attrs.evolve(PERSON, erased=True),
    "permitted": attrs.evolve(PERSON, raw={"mail": True}),
}
ANSWERS = [
    WriteResult(kind="created", member_status="pending", contact_id="c0ffee", request_id="r1", attempts=2),
    WriteResult(kind="updated", member_status="unsubscribed", note="mended", permissions=(("Mail", "withdrawn"),)),
    WriteResult(kind="created"),
    WriteResult(kind="skipped", reason="cleaned", member_status="cleaned", contact_id="c0ffee"),
    WriteResult(kind="skipped", reason="forgotten"),
    WriteResult(kind="dead", reason="bad_field", message="ERPID", member_status="subscribed", contact_id="c0ffee"),
    WriteResult(kind="dead", reason="server_fault", message="later", retry=True, permissions=(("Mail", "given"),)),
]


def _decided(*people):
    audience = Audience(list_id="x", merge_fields={f.tag: f for f in MAPPING.wanted_fields()})
    decider = MemberDecider(
        "contacts",
        mapper=MemberMapper(MAPPING, audience),
        policy=SyncPolicy(inactive="tag", on_hold="tag"),
        audience=audience,
        state=MemoryStateStore(),
        pipeline="acme",
    )
    drafts = decider.draft(people)
    decider.claims(drafts)
    return decider, decider.decide(drafts, NOW)[0]


def _as_dict(decision):
    names = [field.name for field in attrs.fields(type(decision)) if hasattr(decision, field.name)]
    shared = {name: getattr(decision, name) for name in names if name not in {"tags", "parent", "decided_at"}}
    # Not part of what makes links equal.
    return shared | {"synced_at": decision.link and decision.link.synced_at, "other_links": [*decision.other_links]}


@pytest.mark.parametrize("answer", ANSWERS, ids=lambda answer: f"{answer.kind} {answer.reason}".strip())
@pytest.mark.parametrize("person", OTHERS.values(), ids=OTHERS)
def test_both_ways(person, answer):
    """Who is alone at an address becomes, after any answer, what the first of two who share it becomes."""
    decider, alone = _decided(person)
    _, first = _decided(person, attrs.evolve(PERSON, key="P2", status="inactive", opted_out=True))
    assert (isinstance(alone, Newcomer), isinstance(first, Newcomer)) == (True, False)

    assert first.write == alone.write
    for decision in (alone, first):
        if decision.write is not None:
            decider.settle(decision, answer, NOW)

    assert alone.link is not None
    assert _as_dict(first) == _as_dict(alone)
