"""E-mail addresses, from what people type into an ERP. Pure."""

from __future__ import annotations

import re

from ..errors import MappingError
from ._unseen import UNSEEN

__all__ = ["clean_email", "split_emails"]

_QUOTES = " \"'`“”„‘’‚«»‹›"  # noqa: RUF001 - the quotation marks of Europe are meant
_OPENING = _QUOTES + "<([,;:"
_CLOSING = _QUOTES + ">)],;:."

# A part of what email-validator accepts and returns unchanged; a property test holds the two together.
_PLAIN_ADDRESS = re.compile(
    r"[a-z0-9_+-]++(?:\.[a-z0-9_+-]++)*+@"
    r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+(?!(?:arpa|invalid|local|localhost|onion)\Z)[a-z]{2,63}"
)
_LONGEST_ADDRESS = 254
_STRONG_SEPARATED = re.compile(r'(?:"[^"]*"|<[^<>]*>|[^;,|"<]|["<])++')
_WEAK_SEPARATORS = re.compile(r"[/\\&]")
_JOINING_WORDS = frozenset("and cc e et o oder or ou und y".split())


def clean_email(text: str) -> str:
    """The one address in the text, in the form Mailchimp keys it by: stripped and lower-cased as a whole.

    `mailto:`, display names, angle brackets, quotes, trailing punctuation, a comment in parentheses and invisible
    characters are taken off. International domains come back in Unicode, local parts may be non-ASCII. Whether the
    domain exists is not looked up; names no mail can reach (`.local`, `.invalid`, …) are refused, while `.test` and
    `example.com` are left for Mailchimp to judge.

    Raises:
        MappingError: reason `"bad_email"`; the message says what is wrong and never shows the address.

    Example:
        >>> clean_email('"Smith, Bob" <Bob@Example.COM>;')
        'bob@example.com'
    """
    address = text.lower()
    if _is_plain(address):
        return address
    address = _undressed(address.translate(UNSEEN))
    return address if _is_plain(address) else _validated(address)


def _is_plain(address: str) -> bool:
    # "--" may start a Punycode label, which needs decoding.
    fits = len(address) <= _LONGEST_ADDRESS and "--" not in address
    return fits and _PLAIN_ADDRESS.fullmatch(address) is not None


def _undressed(text: str) -> str:
    text = re.sub(r"(?<=\s)\([^()]*\)\s*\Z", "", text).strip()
    named = [inner for inner in re.findall(r"<([^<>]*)>", text) if "@" in inner]
    if len(named) == 1:
        address = _bare(named[0])
        # Outlook writes `bob@x.com <bob@x.com>`; another address outside the brackets makes two.
        outside = _bare(re.sub(r'"[^"]*"|<[^<>]*>', " ", text))
        return address if "@" not in outside or outside == address else text
    return _bare(text if named else re.sub(r"<[^<>]*>", " ", text))


def _bare(text: str) -> str:
    text = text.lstrip(_OPENING).rstrip(_CLOSING)
    if text.startswith("mailto:"):
        text = text.removeprefix("mailto:").partition("?")[0].lstrip(_OPENING).rstrip(_CLOSING)
    return text


def _validated(address: str) -> str:
    found = _library_form(address)
    if found is None:
        raise MappingError(
            f"not a usable e-mail address: {_fault_of(address)}", operation="read e-mail", reason="bad_email"
        )
    return found


def _library_form(address: str) -> str | None:
    from email_validator import EmailNotValidError, validate_email

    try:
        # `test_environment` lets the domains `x.test` and `test` through; the second is refused here.
        found = validate_email(address, check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        # Neither its text nor a chained cause may travel on: they quote parts of the address.
        return None
    return found.normalized.lower() if "." in found.domain else None


def _fault_of(address: str) -> str:
    local, _, domain = address.rpartition("@")
    faults = {
        "it is empty": not address,
        "it has no @ sign": "@" not in address,
        "it has more than one @ sign": "@" in local,
        "a blank stands inside": " " in address,
        "nothing stands before the @ sign": not local,
        "nothing stands after the @ sign": not domain,
        "the domain has no dot": "." not in domain,
        "the domain is malformed, or no mail can reach it": _library_form(f"someone@{domain}") is None,
        "it is too long": len(address.encode("utf-8", "replace")) > _LONGEST_ADDRESS,
    }
    return next((fault for fault, found in faults.items() if found), "the part before the @ sign is malformed")


def split_emails(text: str) -> tuple[str, ...]:
    """Every address of a field that may hold several, cleaned, in order, each once; `()` for a blank field.

    ERPs hold one field for all recipients of a document: people part them by `;` or `,`, but also by blanks, line
    ends, `/`, `&` and words. What is no address is dropped as long as one good address is found; an address is never
    made of the second half of a name typed with a blank (`bob smith@x.org`).

    Raises:
        MappingError: something is there, and none of it is an address; as `clean_email` words it.

    Example:
        >>> split_emails('Ann@x.org; "Doe, Bob" <bob@x.org>, n/a, ann@x.org')
        ('ann@x.org', 'bob@x.org')
    """
    address = text.lower()
    if _is_plain(address):
        return (address,)
    seen = address.translate(UNSEEN)
    if not _bare(seen):
        return ()
    found = dict.fromkeys(good for piece in _STRONG_SEPARATED.findall(seen) for good in _addresses_in(piece))
    return tuple(found) or (clean_email(seen),)


def _addresses_in(piece: str) -> list[str]:
    if whole := _address_or_none(piece):
        return [whole]
    words = piece.split()
    parted = [word for before, word in zip(["", *words], words, strict=False) if _starts_anew(before, word)]
    return [address for word in parted for address in _addresses_in_word(word)]


def _starts_anew(before: str, word: str) -> bool:
    """Whether the word cannot be the rest of the one before: `bob smith@x.org` may be meant as one local part."""
    parts = not any(letter.isalnum() for letter in before) or before.endswith(":") or before in _JOINING_WORDS
    return parts or "@" in before or word.startswith("<")


def _addresses_in_word(word: str) -> list[str]:
    if whole := _address_or_none(word):
        return [whole]
    # These signs may belong to a local part: they part addresses only if each side is one.
    sides = [_address_or_none(side) for side in _WEAK_SEPARATORS.split(word)]
    return [side for side in sides if side] if all(sides) else []


def _address_or_none(text: str) -> str | None:
    if "@" not in text:
        return None
    try:
        return clean_email(text)
    except MappingError:
        return None
