"""Texts, postal addresses, keys and merge values of an ERP -> what Mailchimp accepts. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from hashlib import blake2b
from typing import Any
from urllib.parse import quote, unquote_to_bytes, urlsplit

from ..errors import MappingError
from ..models import Address, MergeField
from ._countries import country_code
from ._emails import clean_email, split_emails
from ._phones import clean_phone, us_phone

__all__ = [
    "SHORT",
    "clean_email",
    "clean_phone",
    "country_code",
    "cut_utf8",
    "member_address",
    "merge_value",
    "original_id",
    "safe_id",
    "split_emails",
    "store_address",
    "text_value",
]


SHORT = 255
"""Bytes of a text merge field."""


def cut_utf8(text: str, limit: int = SHORT) -> str:
    """The text, cut so that it fits `limit` bytes of UTF-8; it always encodes.

    No character is split, nor parted from the accents and joiners that follow it. Half of a surrogate pair becomes
    `?`. Mailchimp itself cuts text merge fields after 255 bytes, wherever that is.

        >>> cut_utf8("na\u0308ive", 3)
        'n'
    """
    if text.isascii():
        return text[:limit]
    encoded = text.encode("utf-8", "replace")
    text = encoded.decode()
    if len(encoded) <= limit:
        return text
    end = len(encoded[:limit].decode("utf-8", "ignore"))
    whole = end
    while whole and (_continues(text[whole]) or text[whole - 1] == _JOINER):
        whole -= 1
    return text[: whole or end]


_JOINER = "\u200d"


def _continues(letter: str) -> bool:
    """Whether it belongs to the character before it: accents, variation selectors, joiners, skin tones."""
    return letter == _JOINER or unicodedata.category(letter).startswith("M") or "\U0001f3fb" <= letter <= "\U0001f3ff"


def member_address(address: Address, *, placeholder: str | None = None) -> dict[str, str] | None:
    """The value of an ADDRESS merge field, or `None` when a part that Mailchimp insists on is missing.

    It insists on `addr1`, `city`, `state` and `zip`: a partial address is refused, dropped in silence, or freezes the
    member. `country` is left out when it is unknown. Each part is cut to 255 bytes.

    Args:
        address: as the ERP holds it; a second line without a first moves up.
        placeholder: stands for a missing state or postal code, for example `"-"`; most countries have no states.

    Example:
        >>> member_address(Address(line1="1 Rue A", city="Lyon", postal_code="69001", country="FRA"), placeholder="-")
        {'addr1': '1 Rue A', 'addr2': '', 'city': 'Lyon', 'state': '-', 'zip': '69001', 'country': 'FR'}
    """
    first, second, city, region, code_of_post = _parts(address)
    if not first:
        first, second = second, ""
    state, postal_code = region or placeholder, code_of_post or placeholder
    if not (first and city and state and postal_code):
        return None
    # The order is Mailchimp's.
    parts = {"addr1": first, "addr2": second, "city": city, "state": state, "zip": postal_code}
    if code := country_code(address.country):
        parts["country"] = code
    return parts


def store_address(address: Address) -> dict[str, str] | None:
    """An address of an e-commerce customer or order: what is known of it, `None` when nothing is.

    A region of two or three capitals is also its `province_code`.

        >>> store_address(Address(line1="1 Main St", region="WI", country="USA"))
        {'address1': '1 Main St', 'province': 'WI', 'province_code': 'WI', 'country': 'USA', 'country_code': 'US'}
    """
    region = _part(address.region)
    parts = {
        "address1": _part(address.line1),
        "address2": _part(address.line2),
        "city": _part(address.city),
        "province": region,
        "province_code": region if re.fullmatch("[A-Z]{2,3}", region) else "",
        "postal_code": _part(address.postal_code),
        "country": _part(address.country),
        "country_code": country_code(address.country),
    }
    return {name: text for name, text in parts.items() if text} or None


def _parts(address: Address) -> list[str]:
    """Lines, city, region and postal code, each as it fits; looked at together, because so many are short and plain."""
    parts = [address.line1, address.line2, address.city, address.region, address.postal_code]
    whole = "".join(parts)
    fit = len(whole) <= SHORT and whole.isascii()
    return [part.strip() for part in parts] if fit else [_part(part) for part in parts]


def _part(text: str) -> str:
    text = text.strip()
    return text if len(text) <= SHORT and text.isascii() else cut_utf8(text)


_SAFE_ID = re.compile(r"(?=.*[^.])[A-Za-z0-9_.-]+")
_HASHED = "~~"


def safe_id(text: str, limit: int = 50) -> str:
    """An ERP key as the id of a store object: safe inside a URL path, and `original_id` gives the key back.

    Letters, digits, `_`, `.` and `-` stay; any other character becomes `~XX` for each of its UTF-8 bytes, and so do
    the dots of a key that is nothing but dots. An id longer than `limit` is shortened to its start, `~~` and a hash
    of the whole key: still one id per key, but not to be read back.

    Raises:
        MappingError: the key is empty; reason `"empty_id"`.
        ValueError: the limit leaves no room for the hash.

    Example:
        >>> safe_id("BOLT 3/8"), safe_id("C00012")
        ('BOLT~203~2F8', 'C00012')
    """
    if len(text) <= limit and _SAFE_ID.fullmatch(text):
        return text
    if not text:
        raise MappingError("an empty key cannot be the id of a store object", reason="empty_id")
    escaped = _escaped(text)
    if len(escaped) <= limit:
        return escaped
    digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=10).hexdigest()
    room = limit - len(_HASHED) - len(digest)
    if room < 0:
        raise ValueError(f"limit: at least {limit - room} characters are needed")
    return f"{escaped[:room]}{_HASHED}{digest}"


def original_id(safe: str) -> str:
    """The ERP key that `safe_id` made this id of.

    Raises:
        ValueError: the id was shortened, or is not one that `safe_id` makes.

    Example:
        >>> original_id("BOLT~203~2F8")
        'BOLT 3/8'
    """
    if _HASHED in safe:
        raise ValueError("the id was shortened to fit: look the key up in the links")
    text = unquote_to_bytes(safe.replace("~", "%")).decode("utf-8", "surrogatepass")
    if not text or _escaped(text) != safe:
        raise ValueError("not an id made by safe_id")
    return text


def _escaped(text: str) -> str:
    # `quote` keeps exactly our letters, and the tilde.
    percented = quote(text, safe="", errors="surrogatepass").replace("~", "%7E")
    if not text.strip("."):
        # "." and ".." are folders to whoever tidies up a path.
        percented = percented.replace(".", "%2E")
    return percented.replace("%", "~")


def merge_value(value: Any, field: MergeField) -> Any:
    """The value in the form that the audience's merge field takes; `""`, which clears the field, for `None` and blanks.

    ========================  ==================================================================================
    text (and unknown types)  stripped, cut to 255 bytes; flags as `Yes`/`No`, dates as `2026-03-01`, numbers plain
    number                    int, float, or text where a float would lose digits
    date, birthday            `2026-03-01`, `03/01`; from dates, ISO text, and the other forms Mailchimp documents
    zip                       five digits; ZIP+4 is shortened
    phone                     free text, or `(414) 555-4787` (without extension) if `phone_format` is `US`
    url, imageurl             `http://` is put before a bare host name
    radio, dropdown           the choice as the audience spells it, found without regard to case
    address                   what `member_address` gives; `None` for an incomplete one: leave the field out
    ========================  ==================================================================================

    Raises:
        MappingError: reason `"merge_field_type"`; the message names the tag and what it takes, never the value.

    Example:
        >>> merge_value("blue", MergeField(tag="COLOUR", type="dropdown", options={"choices": ["Red", "Blue"]}))
        'Blue'
    """
    if field.type == "text":
        return text_value(value, field)
    if isinstance(value, str):
        value = value.strip()
    if value is None or value == "":
        return ""
    reader: Callable[[Any, MergeField], Any] = _READERS.get(field.type, _as_text)
    return reader(value, field)


def text_value(value: Any, field: MergeField) -> str:
    """`merge_value` of a text field."""
    if isinstance(value, str):
        return _part(value)
    return "" if value is None else _as_text(value, field)


def _misfit(field: MergeField, expected: str, value: object) -> MappingError:
    message = f"merge field {field.tag} takes {expected}; the mapped {type(value).__name__} is none"
    return MappingError(message, reason="merge_field_type")


def _as_text(value: Any, field: MergeField) -> str:
    if isinstance(value, str):
        return cut_utf8(value)
    if isinstance(value, bool):
        return "Yes" if value else "No"
    if isinstance(value, date):
        return value.isoformat()[:10]
    if isinstance(value, int | float | Decimal):
        number = _decimal(value, field, "text")
        return str(int(number)) if isinstance(value, float) and number == int(number) else f"{number:f}"
    raise _misfit(field, "text", value)


def _decimal(value: Any, field: MergeField, expected: str) -> Decimal:
    try:
        number = Decimal(repr(value) if isinstance(value, float) else value)
    except (InvalidOperation, TypeError, ValueError):
        raise _misfit(field, expected, value) from None
    # Beyond this it is no number of a business, but a way to fill the memory with digits.
    if not number.is_finite() or number.adjusted() > _MOST_DIGITS:
        raise _misfit(field, expected, value)
    return number if abs(number) >= _LEAST else Decimal(0)


_MOST_DIGITS = 30
_LEAST = Decimal("1e-30")


def _as_number(value: Any, field: MergeField) -> int | float | str:
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        raise _misfit(field, "a number", value)
    number = _decimal(value, field, "a number")
    exact = f"{number:f}"
    if number == number.to_integral_value():
        return int(number) if abs(number) <= 2**53 else str(int(number))
    return float(number) if Decimal(repr(float(number))) == number else exact


_DATE_SHAPES = tuple(
    re.compile(shape)
    for shape in (
        r"(?P<year>\d{4})/(?P<month>\d{1,2})/(?P<day>\d{1,2})",
        r"(?P<day>\d{1,2})-(?P<month>\d{1,2})-(?P<year>\d{4})",
        r"(?P<month>\d{1,2})/(?P<day>\d{1,2})/(?P<year>\d{4})",
    )
)


def _day_of(value: Any) -> date | None:
    if isinstance(value, date):
        return value
    if not isinstance(value, str):
        return None
    found = next((match for shape in _DATE_SHAPES if (match := shape.fullmatch(value))), None)
    try:
        if found is None:
            return datetime.fromisoformat(value)
        return date(**{name: int(digits) for name, digits in found.groupdict().items()})
    except ValueError:
        return None


def _as_date(value: Any, field: MergeField) -> str:
    day = _day_of(value)
    if day is None:
        raise _misfit(field, "a date", value)
    return day.isoformat()[:10]


def _as_birthday(value: Any, field: MergeField) -> str:
    # A leap year, so that the 29th of February is a birthday.
    day = _day_of(f"{value}/2000" if isinstance(value, str) and value.count("/") == 1 else value)
    if day is None:
        raise _misfit(field, "a day of the year as MM/DD", value)
    return f"{day.month:02}/{day.day:02}"


def _as_zip(value: Any, field: MergeField) -> str:
    found = re.fullmatch(r"([0-9]{5})(?:-?[0-9]{4})?", value) if isinstance(value, str) else None
    if found is None:
        raise _misfit(field, "a five-digit US postal code; use a text field for other countries", value)
    return found[1]


def _as_phone(value: Any, field: MergeField) -> str:
    text = _as_text(value, field)
    if field.options.get("phone_format") != "US":
        return text
    number = us_phone(text)
    if number is None:
        raise _misfit(field, "a US phone number, as its phone_format says", value)
    return number


def _as_url(value: Any, field: MergeField) -> str:
    if isinstance(value, str) and not re.search(r"\s", value):
        url = value if "://" in value else f"http://{value}"
        try:
            parts = urlsplit(url)
            if parts.scheme.lower() in {"http", "https"} and "." in (parts.hostname or "").strip("."):
                return url
        except ValueError:
            pass  # a bracket without its pair
    raise _misfit(field, "a web address", value)


def _as_choice(value: Any, field: MergeField) -> str:
    wanted = _as_text(value, field)
    choices = field.options.get("choices") or (wanted,)
    if wanted in choices:
        return wanted
    folded = wanted.casefold()
    found = next((choice for choice in choices if choice.strip().casefold() == folded), None)
    if found is None:
        raise _misfit(field, f"one of its {len(choices)} choices", value)
    return str(found)


def _as_address(value: Any, field: MergeField) -> dict[str, str] | str | None:
    if isinstance(value, Address):
        return member_address(value) if value != Address() else ""
    if not isinstance(value, Mapping):
        raise _misfit(field, "an address", value)
    parts = {name: _as_text(value[name], field) for name in _ADDRESS_PARTS if value.get(name) is not None}
    if not all(parts.get(name, "").strip() for name in ("addr1", "city", "state", "zip")):
        raise _misfit(field, "an address with addr1, city, state and zip", value)
    return parts


_ADDRESS_PARTS = ("addr1", "addr2", "city", "state", "zip", "country")
_READERS: Mapping[str, Callable[[Any, MergeField], Any]] = {
    "number": _as_number,
    "date": _as_date,
    "birthday": _as_birthday,
    "zip": _as_zip,
    "phone": _as_phone,
    "url": _as_url,
    "imageurl": _as_url,
    "radio": _as_choice,
    "dropdown": _as_choice,
    "address": _as_address,
}
