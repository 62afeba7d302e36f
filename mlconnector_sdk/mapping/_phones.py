"""Phone numbers from what people type into an ERP, by phonenumbers. Pure.

For phonenumbers to parse and judge one number takes 30 µs, as much as all else that is done to a record on its way. So
the usual spellings (digits, blanks, brackets, dashes) take a short way over the library's own patterns; whatever is not
plain there is left to the library. A property test holds the two together.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

import attrs

from ._countries import country_code
from ._unseen import UNSEEN

if TYPE_CHECKING:
    from phonenumbers import PhoneNumber

__all__ = ["clean_phone", "short_way", "us_phone"]

_USUAL = re.compile(r"(\+?)[(]?([0-9][0-9 ().-]{2,30})")
_KINDS = (
    *("fixed_line", "mobile", "toll_free", "voip", "shared_cost", "premium_rate"),
    *("personal_number", "uan", "pager", "voicemail"),
)


def clean_phone(text: str, *, region: str | None = None) -> str:
    """A phone number as `+14145554787`, with its extension as `+14145554787 ext. 12`.

    Text that is no valid number comes back as it was typed, blanks collapsed: to Mailchimp a phone is free text, unless
    the merge field asks for the US format. Never raises.

    Args:
        text: as typed; `""` gives `""`.
        region: the country to read national numbers in, any spelling that `country_code` knows. Without it only
            numbers that start with `+` or `00` are understood.

    Example:
        >>> clean_phone("(414) 555-4787 x12", region="USA"), clean_phone("ask Bob")
        ('+14145554787 ext. 12', 'ask Bob')
    """
    code = country_code(region or "")
    found = short_way(text, code)
    if found is not None:
        return found
    typed = _seen(text)
    number = _phone_number(typed, code)
    if number is None:
        return typed
    international = f"+{number.country_code}{_national_digits(number)}"
    return f"{international} ext. {number.extension}" if number.extension else international


def us_phone(text: str) -> str | None:
    """The number as `(414) 555-4787`, which has no room for an extension; `None` if it is no North American number.

    >>> us_phone("1-414-555-4787 ext. 12")
    '(414) 555-4787'
    """
    number = _phone_number(_seen(text), "US")
    if number is None or number.country_code != 1:
        return None
    digits = _national_digits(number)
    return f"({digits[:3]}) {digits[3:6]}-{digits[6:]}"


def _phone_number(typed: str, region: str) -> PhoneNumber | None:
    from phonenumbers import NumberParseException, is_valid_number, parse

    if not region and typed.startswith("00"):
        typed = f"+{typed[2:]}"
    try:
        number = parse(typed, region or None)
    except NumberParseException:
        return None
    return number if is_valid_number(number) else None


def _seen(text: str) -> str:
    return " ".join(text.translate(UNSEEN).split())


def _national_digits(number: PhoneNumber) -> str:
    from phonenumbers import national_significant_number

    return national_significant_number(number)


# The short way


def short_way(text: str, region: str) -> str | None:
    """The number in its international form, where that can be told quickly; `None` says nothing."""
    usual = _USUAL.fullmatch(text)
    if usual is None:
        return None
    plus, digits = usual.groups()
    for sign in " ().-":
        digits = digits.replace(sign, "")
    if plus:
        calling = _calling_code(digits[:3])
        regions = _regions(calling)
        national = digits[len(calling) :]
        # What might be a prefix of the country itself is for the library to judge.
        is_plain = bool(regions) and not regions[0].begins_with_prefix(national)
    else:
        here = _region(region)
        if here is None or here.leads_abroad(digits):
            return None
        calling, regions = here.calling, _regions(here.calling)
        if digits.startswith(calling):
            national = here.without_calling_code(digits)
            is_plain = bool(national) and not regions[0].begins_with_prefix(national)
        else:
            national = here.without_prefix(digits)
            is_plain = bool(national)
    return f"+{calling}{national}" if is_plain and _is_valid(national, regions) else None


@attrs.frozen(kw_only=True)
class _Region:
    """How the numbers of one region look, as phonenumbers knows it.

    Attributes:
        lengths: that any of its numbers may have.
        general: what any of its numbers looks like. `kinds`: each kind of number, with the lengths it may have.
        prefix: what stands before a number inside the country; `None` where there is nothing.
        abroad: how a number abroad is begun.
        leading: how its numbers begin, where that alone tells it from the others of its calling code.
    """

    calling: str
    lengths: frozenset[int]
    general: re.Pattern[str]
    kinds: tuple[tuple[frozenset[int], re.Pattern[str]], ...]
    prefix: re.Pattern[str] | None
    abroad: re.Pattern[str] | None
    leading: re.Pattern[str] | None

    def owns(self, national: str) -> bool:
        """The digits are one of its valid numbers."""
        if self.general.fullmatch(national) is None:
            return False
        size = len(national)
        for lengths, pattern in self.kinds:
            if (not lengths or size in lengths) and pattern.fullmatch(national) is not None:
                return True
        return False

    def begins_with_prefix(self, digits: str) -> bool:
        return self.prefix is not None and self.prefix.match(digits) is not None

    def leads_abroad(self, digits: str) -> bool:
        return self.abroad is not None and self.abroad.match(digits) is not None

    def without_calling_code(self, digits: str) -> str:
        """The national number, or nothing where the calling code they begin with may be part of it."""
        national = digits[len(self.calling) :]
        is_whole = self.general.fullmatch(digits) is not None or self.begins_with_prefix(national)
        return "" if is_whole or self.general.fullmatch(national) is None else national

    def without_prefix(self, digits: str) -> str:
        """The national number, or nothing where that takes more than cutting off a prefix."""
        found = self.prefix.match(digits) if self.prefix is not None else None
        if found is None:
            return digits
        national = digits[found.end() :]
        is_plain = found.lastindex is None and len(national) in self.lengths and not self.general.fullmatch(digits)
        return national if is_plain else ""


def _is_valid(national: str, regions: tuple[_Region, ...]) -> bool:
    """Some region of the calling code owns the number; the first whose leading digits it has, has the last word."""
    for region in regions:
        if region.leading is not None:
            if region.leading.match(national) is not None:
                return region.owns(national)
        elif region.owns(national):
            return True
    return False


@cache
def _region(code: str) -> _Region | None:
    from phonenumbers import PhoneMetadata

    known = PhoneMetadata.metadata_for_region(code, None) if code else None
    if known is None or known.general_desc is None:
        return None
    kinds = [(kind, kind.national_number_pattern) for name in _KINDS if (kind := getattr(known, name)) is not None]
    return _Region(
        calling=str(known.country_code),
        lengths=frozenset(known.general_desc.possible_length),
        general=re.compile(known.general_desc.national_number_pattern or ""),
        kinds=tuple((frozenset(kind.possible_length), re.compile(pattern)) for kind, pattern in kinds if pattern),
        prefix=_compiled(known.national_prefix_for_parsing),
        abroad=_compiled(known.international_prefix),
        leading=_compiled(known.leading_digits),
    )


def _compiled(pattern: str | None) -> re.Pattern[str] | None:
    return re.compile(pattern) if pattern else None


@cache
def _calling_code(start: str) -> str:
    """The calling code that a number begins with, `""` if it is none."""
    from phonenumbers import COUNTRY_CODE_TO_REGION_CODE

    codes = (start[:size] for size in (1, 2, 3))
    # A number for it would forget leading zeros, which no calling code has.
    return next((code for code in codes if code[:1] != "0" and int(code) in COUNTRY_CODE_TO_REGION_CODE), "")


@cache
def _regions(calling: str) -> tuple[_Region, ...]:
    """The regions of a calling code, the one whose rules hold for all of them first."""
    from phonenumbers import COUNTRY_CODE_TO_REGION_CODE

    codes = COUNTRY_CODE_TO_REGION_CODE.get(int(calling), ()) if calling else ()
    return tuple(region for code in codes if (region := _region(code)) is not None)
