"""From a customer, contact or supplier to the body of an audience member. Pure: no I/O, no state."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs

from .._json import json_bytes
from ..errors import ConfigurationError, MappingError
from ..models import Audience, MergeField, Party, fingerprint_of
from ._choices import InterestSource, answer_getter, checked_interests, checked_permissions
from ._fields import FieldSource, check_source, field_getter, guarded
from ._normalize import SHORT, clean_phone, member_address, merge_value, split_emails, text_value
from ._templates import TagSource, distinct_tags, tag_getter

__all__ = ["MemberMapper", "MemberMapping", "MemberPayload"]

_DEFAULT_FIELDS: Mapping[str, FieldSource] = {
    "FNAME": "first_name",
    "LNAME": "last_name",
    "COMPANY": "name",
    "PHONE": "phone",
    "ADDRESS": "address",
    "ERPID": "key",
}
_FIELD_NAMES = {
    "FNAME": "First Name",
    "LNAME": "Last Name",
    "COMPANY": "Company",
    "PHONE": "Phone Number",
    "ADDRESS": "Address",
    "ERPID": "ERP number",
}
_TYPES_BY_ATTRIBUTE = {"phone": "phone", "address": "address"}


def _upper_tags(fields: Mapping[str, FieldSource]) -> dict[str, FieldSource]:
    return {tag.upper(): source for tag, source in fields.items()}


def _sources_are_known(_: object, __: object, fields: Mapping[str, FieldSource]) -> None:
    for tag, source in fields.items():
        if tag == "EMAIL":
            raise ConfigurationError("merge_fields: EMAIL is the address itself and cannot be mapped")
        check_source(source, f"merge_fields[{tag}]")


def _tags_are_readable(_: object, __: object, tags: Sequence[TagSource]) -> None:
    if isinstance(tags, str):
        raise ConfigurationError("tags: a list of tags, not one text")
    for source in tags:
        tag_getter(source)


@attrs.frozen(kw_only=True)
class MemberMapping:
    """How a party becomes an audience member.

    Attributes:
        merge_fields: merge tag (at most 10 capitals, digits, `_`) to where its value comes from.
        merge_types: the type of a merge field that has to be created; text if not named here.
        tags: fixed tags, templates such as `"region:{raw[SalesTerritory]}"`, which make no tag where a value is missing
            or blank, and functions that give a tag, several or `None`. They are added, and taken off when the record
            no longer gives them; tags of others stay.
        owned_prefix: tags that begin so are the mapping's, whoever put them on: with each write of a member, those
            that its record does not give are taken off. Empty for none.
        interests: `"Group/Interest"`, as the audience names them, to where a yes or no comes from; or `True` for all.
            A record that says neither leaves the member's interest alone.
        permissions: marketing permissions, by the text people see, to where each person's yes or no comes from. Only
            an explicit yes of the ERP gives one; it is never given to somebody suppressed, nor again to somebody who
            withdrew it in Mailchimp. An explicit no takes it; silence changes nothing.
        language: where the language comes from, or `None` to leave the member's language alone.
        address_placeholder: fills a missing state or postal code, which Mailchimp insists on; without it an
            incomplete address is left out.
        include: records for which this returns false are skipped with reason `"excluded"`.

    Example:
        >>> MemberMapping(merge_fields={"ERPID": "key", "TERRITORY": "raw.SalesTerritory"}).merge_fields["ERPID"]
        'key'
    """

    merge_fields: Mapping[str, FieldSource] = attrs.field(
        default=_DEFAULT_FIELDS, converter=_upper_tags, validator=_sources_are_known
    )
    merge_types: Mapping[str, str] = attrs.field(factory=dict)
    tags: Sequence[TagSource] = attrs.field(default=(), validator=_tags_are_readable)
    owned_prefix: str = ""
    interests: Mapping[str, InterestSource] = attrs.field(factory=dict, validator=checked_interests)
    permissions: Mapping[str, FieldSource] = attrs.field(factory=dict, validator=checked_permissions)
    language: FieldSource | None = None
    address_placeholder: str | None = None
    include: Callable[[Any], bool] | None = None

    def wanted_fields(self) -> tuple[MergeField, ...]:
        """The merge fields this mapping fills, as they are created where they are missing.

        Raises:
            ConfigurationError: a tag that Mailchimp would not take.
        """
        return tuple(self._wanted(tag, source) for tag, source in self.merge_fields.items())

    def _wanted(self, tag: str, source: FieldSource) -> MergeField:
        by_attribute = _TYPES_BY_ATTRIBUTE.get(source, "text") if isinstance(source, str) else "text"
        kind = self.merge_types.get(tag, by_attribute)
        try:
            # International phone numbers are free text to Mailchimp only in this format.
            options = {"phone_format": "none"} if kind == "phone" else {}
            return MergeField(tag=tag, type=kind, name=_FIELD_NAMES.get(tag, tag.capitalize()), options=options)
        except ValueError:
            raise ConfigurationError(
                f"merge_fields[{tag}]: a merge tag has 1 to 10 letters, digits or underscores"
            ) from None


@attrs.frozen
class MemberPayload:
    """A mapped party.

    Attributes:
        address: normalised.
        body: the encoded member without status.
        tags: those in the body.
        permissions: what the record says of each mapped marketing permission, as (name, answer).
    """

    address: str = attrs.field(repr=False)
    body: bytes = attrs.field(repr=False)
    tags: tuple[str, ...]
    permissions: tuple[tuple[str, bool | None], ...] = ()

    @property
    def fingerprint(self) -> str:
        """The hash by which an unchanged payload is recognised, whatever part of it would change."""
        return fingerprint_of(self.body + json_bytes(self.permissions) if self.permissions else self.body)


class MemberMapper:
    """A `MemberMapping` made ready for one audience: sources resolved, types known. Cheap per record.

    Attributes:
        settings: all but the record that a payload depends on; `None` when functions of the caller's are part of it.
    """

    def __init__(self, mapping: MemberMapping, audience: Audience) -> None:
        known = {field.tag: field for field in audience.missing} | dict(audience.merge_fields)
        wanted = {field.tag: field for field in mapping.wanted_fields()}
        self._fields = [
            (tag, _merge_reader(source, known.get(tag, wanted[tag]), mapping))
            for tag, source in mapping.merge_fields.items()
        ]
        self._tags = [tag_getter(source) for source in mapping.tags]
        self._interests = [
            (_interest_id(name, audience), answer_getter(source, f"interests[{name}]"))
            for name, source in mapping.interests.items()
        ]
        self._permissions = [
            (name, answer_getter(source, f"permissions[{name}]")) for name, source in mapping.permissions.items()
        ]
        self._language = _getter(mapping.language, "language", mapping) if mapping.language else None
        self._include = mapping.include
        self.owned_prefix = mapping.owned_prefix
        fields = [known.get(tag, wanted[tag]) for tag in mapping.merge_fields]
        self.settings = _settings(mapping, fields, audience.interests)

    def includes(self, party: Party) -> bool:
        """Whether the caller's filter wants this record."""
        return self._include is None or bool(guarded(self._include, party, "include"))

    def address(self, party: Party) -> str:
        """The member's address: the first good one in the ERP's field; `""` when the field is blank.

        Raises:
            MappingError: something is there, and none of it is an address.
        """
        found = split_emails(party.email)
        return found[0] if found else ""

    def payload(self, party: Party, address: str, *, more_tags: tuple[str, ...] = ()) -> MemberPayload:
        """The member's body.

        Raises:
            MappingError: a value does not fit its merge field, or the caller's function failed; the message names the
                merge field, never the value.
        """
        merge_fields: dict[str, Any] = {}
        for tag, reader in self._fields:
            value = reader(party)
            if value is not None:
                merge_fields[tag] = value
        body: dict[str, Any] = {"email_address": address, "merge_fields": merge_fields}
        if self._language is not None and (language := self._language(party)):
            body["language"] = str(language)
        if self._interests:
            interests = {key: answer for key, getter in self._interests if (answer := getter(party)) is not None}
            if interests:
                body["interests"] = interests
        permissions = tuple([(name, getter(party)) for name, getter in self._permissions]) if self._permissions else ()
        tags = distinct_tags((*self._tags_of(party), *more_tags)) if self._tags or more_tags else ()
        if tags:
            body["tags"] = list(tags)
        try:
            # The order of keys is fixed by construction, so equal content is equal bytes.
            return MemberPayload(address, json_bytes(body), tags, permissions)
        except (UnicodeEncodeError, TypeError, ValueError):
            raise MappingError("a value cannot be written as JSON text", reason="bad_text") from None

    def _tags_of(self, party: Party) -> tuple[str, ...]:
        if not self._tags:
            return ()
        return tuple(tag for getter in self._tags for tag in getter(party))


def _settings(mapping: MemberMapping, fields: Sequence[MergeField], interests: Mapping[str, str]) -> bytes | None:
    forms = [(f.tag, f.type, f.options.get("phone_format") == "US", f.options.get("choices")) for f in fields]
    try:
        return json_bytes([attrs.asdict(mapping), forms, dict(interests)])
    except (TypeError, ValueError):
        # Functions have no form in JSON.
        return None


def _merge_reader(source: FieldSource, field: MergeField, mapping: MemberMapping) -> Callable[[Party], Any]:
    """What reads a party's value for a merge field, in the form it takes; `None` leaves the member's own alone."""
    getter = _getter(source, field.tag, mapping)
    if field.type == "text":
        return _text_reader(getter, field)
    if field.type == "address":
        # The record's own address has its form already.
        own = getter if source == "address" else None
        return own or (lambda party: None if (value := getter(party)) is None else merge_value(value, field))
    return lambda party: merge_value(getter(party), field)


def _text_reader(getter: Callable[[Party], Any], field: MergeField) -> Callable[[Party], str]:
    def read(party: Party) -> str:
        value = getter(party)
        if type(value) is str and len(value) <= SHORT and value.isascii():
            return value.strip()
        return text_value(value, field)

    return read


def _getter(source: FieldSource, tag: str, mapping: MemberMapping) -> Callable[[Party], Any]:
    if source == "phone":
        return _phone
    if source == "address":
        placeholder = mapping.address_placeholder
        return lambda party: member_address(party.address, placeholder=placeholder)
    return field_getter(source, tag)


def _interest_id(name: str, audience: Audience) -> str:
    if name not in audience.interests:
        raise ConfigurationError(f"interests[{name}]: the sink has not looked it up: does it know interests?")
    return audience.interests[name]


def _phone(party: Party) -> str:
    return clean_phone(party.phone, region=party.address.country) if party.phone else ""
