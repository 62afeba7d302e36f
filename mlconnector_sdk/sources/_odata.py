"""OData V4 without I/O: how to ask, and how to read lists, errors and `$metadata`.

What versions 3 and 4 share (texts in quotes, encoding, filters cut to the length a server takes) serves both.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree as ET

import attrs

from .._http import HttpReply
from ..errors import ContractError
from ._xml import as_utf8

__all__ = [
    "Collection",
    "Fault",
    "any_of",
    "collection_in",
    "day_literal",
    "encoded_length",
    "fault_in",
    "midnight_literal",
    "moment_literal",
    "number_literal",
    "properties_in",
    "query_text",
    "text_literal",
]

_SAFE = "/,:'()-._~"
"""What may stand as it is, which keeps long selections within the limit of IIS."""

# -- asking ---------------------------------------------------------------------------------------------------------


def text_literal(value: str) -> str:
    """In quotes, apostrophes doubled."""
    return "'" + value.replace("'", "''") + "'"


def number_literal(value: Decimal | int) -> str:
    """Bare, without exponent."""
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def day_literal(day: date) -> str:
    """For an `Edm.Date`."""
    return f"{day:%Y-%m-%d}"


def midnight_literal(day: date) -> str:
    """For an `Edm.DateTimeOffset` that only ever holds dates."""
    return f"{day:%Y-%m-%d}T00:00:00Z"


def moment_literal(moment: datetime) -> str:
    """For an `Edm.DateTimeOffset`, cut (never rounded up) to the millisecond."""
    text = moment.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00")
    return f"{text.removesuffix('.000')}Z"


def query_text(options: Mapping[str, str]) -> str:
    """Query options as `$filter=…&$top=…`, encoded; empty ones are left out."""
    return "&".join(f"{name}={quote(value, safe=_SAFE)}" for name, value in options.items() if value)


def encoded_length(text: str) -> int:
    """How long a text is within a query."""
    return len(quote(text, safe=_SAFE))


def any_of(
    keys: Iterable[str], term: Callable[[str], str], *, room: int, most: int | None = None
) -> Iterator[tuple[list[str], str]]:
    """Keys in groups whose filter, `term or term or …`, takes at most `room` characters of a query.

    Keys with the same term share it. A term longer than `room` comes alone.

    Args:
        most: terms in a group; some servers count the parts of a filter.
    """
    batch: list[str] = []
    terms: dict[str, None] = {}
    length = 0
    for key in keys:
        condition = term(key)
        cost = 0 if condition in terms else encoded_length(f" or {condition}")
        if batch and (length + cost > room or (cost and len(terms) == most)):
            yield batch, " or ".join(terms)
            batch, terms, length = [], {}, 0
            cost = encoded_length(f" or {condition}")
        batch.append(key)
        terms[condition] = None
        length += cost
    if batch:
        yield batch, " or ".join(terms)


# -- reading --------------------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Collection:
    """One answer of a list.

    Attributes:
        count: rows in all, where it was asked for.
        has_more: the server says that the list goes on. Where, is for the caller to say: the link itself may name
            another host, or have lost the filter.
    """

    rows: list[dict[str, Any]] = attrs.field(repr=False)
    count: int | None = None
    has_more: bool = False


def collection_in(reply: HttpReply) -> Collection:
    """The rows of a list; numbers with a fraction are exact.

    Raises:
        ContractError: the body is no OData list.
    """
    try:
        body = reply.json(decimals=True)
    except ValueError:
        raise ContractError("the answer is no JSON", reason="not_json") from None
    rows = body.get("value") if isinstance(body, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ContractError("expected a list of records", reason="no_list")
    return Collection(rows=rows, count=_count(body.get("@odata.count")), has_more=bool(body.get("@odata.nextLink")))


def _count(value: Any) -> int | None:
    # Some servers write it as text.
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() else None


@attrs.frozen(kw_only=True)
class Fault:
    """What an error body says; the message may hold values of records and stays out of our own messages."""

    code: str = ""
    message: str = attrs.field(default="", repr=False)


def fault_in(reply: HttpReply) -> Fault:
    """The error in a body, whatever its media type; an empty one when there is none.

    The message is a text, or an object with language and text.
    """
    try:
        body = reply.json()
    except ValueError:
        return Fault()
    error = body.get("error", body.get("odata.error")) if isinstance(body, dict) else None
    if not isinstance(error, dict):
        return Fault()
    message = error.get("message")
    if isinstance(message, dict):
        message = message.get("value")
    return Fault(code=str(error.get("code") or ""), message=str(message or ""))


def properties_in(metadata: bytes) -> dict[str, dict[str, str]]:
    """Property names and types of each entity set of a `$metadata` document.

    Raises:
        ContractError: it is none, or it declares a document type (which nobody needs, and which can be abused).
    """
    # In UTF-16 the words below would look different, and mean the same.
    metadata = as_utf8(metadata.removeprefix(codecs.BOM_UTF8))
    if b"<!DOCTYPE" in metadata or b"<!ENTITY" in metadata:
        raise ContractError("the metadata declares a document type", reason="bad_metadata")
    try:
        root = ET.fromstring(metadata)  # noqa: S314 - no document type, so no entities
    except ET.ParseError:
        raise ContractError("the metadata is no XML", reason="bad_metadata") from None
    kinds: dict[str, ET.Element] = {}
    sets: dict[str, str] = {}
    for schema in _named(root, "Schema"):
        prefix = schema.get("Namespace", "")
        kinds.update({f"{prefix}.{kind.get('Name', '')}": kind for kind in _named(schema, "EntityType")})
        sets.update({one.get("Name", ""): one.get("EntityType", "") for one in _named(schema, "EntitySet")})
    return {name: _properties(kind, kinds) for name, kind in sets.items()}


def _properties(kind: str, kinds: Mapping[str, ET.Element]) -> dict[str, str]:
    found: dict[str, str] = {}
    seen: set[str] = set()
    while kind in kinds and kind not in seen:
        seen.add(kind)
        own = {one.get("Name", ""): one.get("Type", "") for one in _named(kinds[kind], "Property")}
        found = {**own, **found}
        kind = kinds[kind].get("BaseType", "")
    return found


def _named(element: ET.Element, name: str) -> Iterator[ET.Element]:
    """Elements by local name: each version of the format has a namespace of its own."""
    return (one for one in element.iter() if one.tag.rpartition("}")[2] == name)
