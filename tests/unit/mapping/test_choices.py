"""Interests and marketing permissions: what a record says of them."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from mlconnector_sdk.errors import ConfigurationError, MappingError
from mlconnector_sdk.mapping import Mapping, MemberMapper, MemberMapping, MemberPayload
from mlconnector_sdk.models import Audience, Customer

AUDIENCE = Audience(list_id="a1", interests={"Trade/Retail": "r1", "Trade/Wholesale": "w1"})


def payload_of(mapping: MemberMapping, **raw: Any) -> MemberPayload:
    """What a customer with this row becomes."""
    party = Customer(key="C1", email="office@harbor-pumps.com", group="TRADE", raw=raw)
    return MemberMapper(mapping, AUDIENCE).payload(party, "office@harbor-pumps.com")


@pytest.mark.parametrize(
    ("value", "answer"),
    [
        *((value, True) for value in (True, "Yes", " y ", "TRUE", 1, "1", "on", Decimal("1.00"))),
        *((value, False) for value in (False, "no", "N", 0, "0", "off", "False", 0.0)),
        *((value, None) for value in (None, "", "  ")),
    ],
)
def test_a_record_says_yes_or_no_or_nothing(value, answer):
    """Flags come as booleans, words, letters and digits; a blank is no answer at all."""
    mapping = MemberMapping(interests={"Trade/Retail": "raw.Retail"}, permissions={"Email": "raw.Retail"})

    payload = payload_of(mapping, Retail=value)

    assert ({} if answer is None else {"r1": answer}) == json.loads(payload.body).get("interests", {})
    assert (("Email", answer),) == payload.permissions


def test_interests_are_set_for_everybody_by_a_field_or_by_a_function():
    """Ids are those that the audience gives the names."""
    mapping = MemberMapping(interests={"Trade/Retail": True, "Trade/Wholesale": lambda c: c.group == "TRADE"})

    assert {"r1": True, "w1": True} == json.loads(payload_of(mapping).body)["interests"]


@pytest.mark.parametrize("value", ["perhaps", 2, "X", [], float("nan")])
def test_an_unclear_answer_is_none(value):
    """Neither yes nor no sets the record aside, naming the permission and never the value."""
    mapping = MemberMapping(permissions={"Email": "raw.Consent"})

    with pytest.raises(MappingError, match=r"permissions\[Email\]: neither yes nor no") as caught:
        payload_of(mapping, Consent=value)
    assert "unclear_answer" == caught.value.reason


def test_a_permission_travels_beside_the_body_and_counts_as_a_change():
    """The bulk call has no permissions; yet a record that changes its mind is not unchanged."""
    mapping = MemberMapping(permissions={"Email": "raw.Consent"})
    asked, yes, no = payload_of(mapping), payload_of(mapping, Consent="Y"), payload_of(mapping, Consent="N")

    assert asked.body == yes.body == no.body
    assert 3 == len({payload.fingerprint for payload in (asked, yes, no)})


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"interests": {"Retail": True}}, "'Group/Interest'"),
        ({"interests": {"Trade/ ": True}}, "'Group/Interest'"),
        ({"interests": {"Trade/Retail": "frist_name"}}, r"interests\[Trade/Retail\]: no record attribute"),
        ({"interests": {"Trade/Retail": True, "TRADE/RETAIL": True}}, "are the same"),
        ({"permissions": {"Email": True}}, "each person's own"),
        ({"permissions": {"Email": "consent"}}, r"permissions\[Email\]: no record attribute"),
        ({"permissions": {" ": "raw.X"}}, "must not be blank"),
    ],
)
def test_mistakes_are_told_when_the_mapping_is_made(settings, said):
    """Names that cannot be meant, fields that cannot exist, and consent for everybody are configuration errors."""
    with pytest.raises(ConfigurationError, match=said):
        MemberMapping(**settings)


def test_a_sink_that_knows_no_interests_is_told():
    """An interest that nobody looked up is not left out in silence."""
    with pytest.raises(ConfigurationError, match=r"interests\[Other/One\]"):
        MemberMapper(MemberMapping(interests={"Other/One": True}), AUDIENCE)


def test_wanted_names_are_those_of_all_kinds_of_record():
    """Each name once, from whatever mapping."""
    mapping = Mapping(
        members=MemberMapping(interests={"A/1": True}, permissions={"Email": "raw.C"}),
        contacts=MemberMapping(interests={"A/1": True, "A/2": True}),
    )

    assert (("A/1", "A/2"), ("Email",)) == (mapping.wanted_interests(), mapping.wanted_permissions())
