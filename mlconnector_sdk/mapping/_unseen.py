"""Signs that nobody sees or means, in what people type or paste. Pure."""

from __future__ import annotations

__all__ = ["UNSEEN"]

# Sage 100 pads keys with NUL bytes; spreadsheets and web pages bring odd blanks and marks without width along.
_BLANKS = (*range(32), 127, 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x205F, 0x3000)
_WIDTHLESS = (0xAD, 0x180E, *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2070), 0xFEFF)

UNSEEN: dict[int, str | None] = {**dict.fromkeys(_BLANKS, " "), **dict.fromkeys(_WIDTHLESS)}
"""For `str.translate`: odd blanks become plain ones, marks without width vanish."""
