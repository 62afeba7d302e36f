"""From a party to a member's body."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from mlconnector_sdk.errors import ConfigurationError, MappingError
from mlconnector_sdk.mapping import Mapping, MemberMapper, MemberMapping
from mlconnector_sdk.models import Address, Audience, Customer, MergeField

SEATTLE = Address(line1="12 Mill Lane", city="Seattle", region="WA", postal_code="98101", country="US")


def customer(**fields) -> Customer:
    """A customer with an address."""
    return Customer(**{"key": "C1", "name": "Harbor Pumps", "email": "Office@Harbor-Pumps.com", **fields})


def body_of(party: Customer, mapping: MemberMapping | None = None, *fields: MergeField, **more) -> dict:
    """The body it becomes for an audience with these fields."""
    audience = Audience(list_id="a1", merge_fields={field.tag: field for field in fields})
    mapper = MemberMapper(mapping or MemberMapping(), audience)
    return json.loads(mapper.payload(party, mapper.address(party), **more).body)


def test_the_default_mapping_needs_no_settings():
    """Names, company, phone, address and ERP number travel by default; the status never does."""
    body = body_of(customer(first_name="Mary", phone="+1 425 555 0100", address=SEATTLE))

    assert body["email_address"] == "office@harbor-pumps.com"
    assert body["merge_fields"]["ERPID"] == "C1"
    assert body["merge_fields"]["ADDRESS"]["city"] == "Seattle"
    assert set(body) == {"email_address", "merge_fields"}


def test_an_incomplete_address_is_left_out_unless_a_placeholder_fills_it():
    """Mailchimp refuses partial addresses, so they are not sent; what is missing may be filled by choice."""
    partial = customer(address=Address(line1="Hafenstr. 1", city="Hamburg", postal_code="20457", country="DE"))

    assert "ADDRESS" not in body_of(partial)["merge_fields"]
    filled = body_of(partial, MemberMapping(address_placeholder="-"))
    assert filled["merge_fields"]["ADDRESS"]["state"] == "-"


def test_values_come_from_attributes_paths_and_functions():
    """A merge field is filled from a record attribute, from a path into the raw row, or by a function."""
    mapping = MemberMapping(
        merge_fields={"erpid": "key", "FAX": "raw.MainContact.Fax", "SIZE": lambda c: len(c.name), "NONE": "raw.No.Way"}
    )
    party = customer(raw={"MainContact": {"Fax": "123"}})

    fields = body_of(party, mapping)["merge_fields"]

    assert fields == {"ERPID": "C1", "FAX": "123", "SIZE": "12", "NONE": ""}


def test_types_of_the_audience_are_respected():
    """A number goes into a number field as a number, and text that is none is refused, naming the field only."""
    mapping = MemberMapping(merge_fields={"LTV": "raw.Value"})
    field = MergeField(tag="LTV", type="number")

    assert body_of(customer(raw={"Value": Decimal("12.50")}), mapping, field)["merge_fields"]["LTV"] == 12.5
    with pytest.raises(MappingError, match="LTV") as caught:
        body_of(customer(raw={"Value": "a secret lot"}), mapping, field)
    assert "secret" not in str(caught.value)


def test_a_function_that_fails_concerns_its_record_only():
    """An exception in the caller's function becomes a mapping error without its text."""
    mapping = MemberMapping(merge_fields={"X": lambda c: c.raw["missing secret"]})

    with pytest.raises(MappingError, match="function for X raised KeyError") as caught:
        body_of(customer(), mapping)
    assert caught.value.reason == "mapping_failed"


def test_a_function_may_refuse_a_record_with_a_reason_of_its_own():
    """A mapping error of the caller's own reaches the dead letter as it is."""

    def refuse(customer):
        raise MappingError("no territory: ask sales", reason="no_territory")

    with pytest.raises(MappingError, match="ask sales") as caught:
        body_of(customer(), MemberMapping(merge_fields={"X": refuse}))
    assert caught.value.reason == "no_territory"


def test_tags_are_fixed_filled_in_or_computed():
    """Templates whose parts are missing give no tag; doubles are one; extra tags come last."""
    mapping = MemberMapping(
        tags=[
            "ERP",
            "territory:{raw[Territory]}",
            "group:{group}",
            "none:{raw[No]}",
            lambda c: ["ERP", "A"],
            lambda c: None,
        ]
    )
    body = body_of(customer(group="TRADE", raw={"Territory": "WEST"}), mapping, more_tags=("Inactive",))

    assert body["tags"] == ["ERP", "territory:WEST", "group:TRADE", "A", "Inactive"]


def test_the_language_travels_when_it_is_known():
    """The language is sent when there is one and left alone when there is none."""
    mapping = MemberMapping(language="language")

    assert body_of(customer(language="de"), mapping)["language"] == "de"
    assert "language" not in body_of(customer(), mapping)


def test_records_can_be_left_out():
    """`include` decides; what it raises concerns its record only."""
    mapper = MemberMapper(MemberMapping(include=lambda c: c.group == "TRADE"), Audience(list_id="a1"))
    broken = MemberMapper(MemberMapping(include=lambda c: c.raw["x"]), Audience(list_id="a1"))

    assert mapper.includes(customer(group="TRADE"))
    assert not mapper.includes(customer())
    with pytest.raises(MappingError):
        broken.includes(customer())


def test_text_that_cannot_be_written_is_refused():
    """Half a surrogate pair is a mapping error, not a crash."""
    mapping = MemberMapping(merge_fields={"X": "key"}, tags=[lambda c: "\ud800"])

    with pytest.raises(MappingError) as caught:
        body_of(customer(), mapping)
    assert caught.value.reason == "bad_text"


def test_equal_records_make_equal_bytes():
    """The same content is the same body, so that unchanged records are recognised."""
    mapper = MemberMapper(MemberMapping(), Audience(list_id="a1"))
    one, other = customer(address=SEATTLE), customer(address=SEATTLE, raw={"changed": "elsewhere"})

    assert mapper.payload(one, "a@b.org") == mapper.payload(other, "a@b.org")


def test_mistakes_in_a_mapping_are_told_when_it_is_made():
    """Unknown attributes, the address itself, and tags that Mailchimp would not take are configuration errors."""
    with pytest.raises(ConfigurationError, match="no record attribute 'frist_name'"):
        MemberMapping(merge_fields={"FNAME": "frist_name"})
    with pytest.raises(ConfigurationError, match="EMAIL"):
        MemberMapping(merge_fields={"email": "email"})
    with pytest.raises(ConfigurationError, match="1 to 10"):
        MemberMapping(merge_fields={"FAR_TOO_LONG": "key"}).wanted_fields()


def test_wanted_fields_name_type_and_label():
    """Missing merge fields are created with a type that fits what fills them."""
    mapping = Mapping(
        members=MemberMapping(merge_fields={"PHONE": "phone", "LTV": "raw.V"}, merge_types={"LTV": "number"}),
        contacts=MemberMapping(merge_fields={"JOB": "job_title"}),
    )
    wanted = {field.tag: (field.type, dict(field.options)) for field in mapping.wanted_fields()}

    assert wanted == {"PHONE": ("phone", {"phone_format": "none"}), "LTV": ("number", {}), "JOB": ("text", {})}
    assert mapping.for_stream("contacts") is mapping.contacts
    assert mapping.for_stream("suppliers") is mapping.members
