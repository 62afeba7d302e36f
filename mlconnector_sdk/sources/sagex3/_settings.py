"""What a site of X3 may have of its own: codes of languages, statuses, values of its menus."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from .._settings import PartyStatus, require
from .._values import text_in
from ._api import SYSTEM
from ._fields import menu_word

__all__ = ["LANGUAGES", "POSTED", "STATUSES", "codes", "flag_of", "labels", "status_test"]

LANGUAGES: Mapping[str, str] = {
    "FRA": "fr",
    "ENG": "en",
    "BRI": "en",
    "AUS": "en",
    "SPA": "es",
    "ITA": "it",
    "GER": "de",
    "POR": "pt",
    "POL": "pl",
    "CHI": "zh",
    "ARB": "ar",
}
"""X3's own codes, which are not those of ISO 639; a site may have more."""

POSTED: tuple[int | str, ...] = (2, 3, "posted", "validated")
"""Values of INVSTA that were seen to mean posted: they differ from site to site."""

STATUSES: Mapping[str, Mapping[str, PartyStatus]] = {"OSTCTL": {"3": "on_hold", "BLOCKED": "on_hold"}}
"""Credit control: to be controlled, free, blocked."""

_KNOWN = frozenset({"active", "on_hold", "inactive"})


def status_test(
    given: Mapping[str, Mapping[str, PartyStatus]] | None,
) -> tuple[Callable[[Mapping[str, Any]], PartyStatus], tuple[str, ...]]:
    """What a site's own fields say of a customer, and the fields this needs; of several the gravest counts.

    Raises:
        ConfigurationError: a status that there is not.
    """
    tables = {name: labels_of(values) for name, values in {**STATUSES, **(given or {})}.items()}
    wrong = {status for values in tables.values() for status in values.values()} - _KNOWN
    require(not wrong, f"statuses: {', '.join(sorted(wrong))}: there are active, on_hold and inactive", system=SYSTEM)

    def status(row: Mapping[str, Any]) -> PartyStatus:
        found = {values.get(text_in(row, name).upper(), "active") for name, values in tables.items()}
        return "inactive" if "inactive" in found else "on_hold" if "on_hold" in found else "active"

    return status, tuple(given or {})


def labels_of(values: Mapping[Any, PartyStatus]) -> dict[str, PartyStatus]:
    """Values of a menu, by number or label, as they are compared."""
    return {str(value).strip().upper(): status for value, status in values.items()}


def labels(values: Collection[int | str]) -> frozenset[str]:
    """Numbers and labels of a menu, as they are compared."""
    return frozenset(str(value).strip().upper() for value in values)


def codes(given: Mapping[str, str] | None, usual: Mapping[str, str] = {}) -> dict[str, str]:
    """A site's codes added to the usual ones."""
    return {code.strip().upper(): meaning for code, meaning in {**usual, **(given or {})}.items()}


def flag_of(name: str) -> Callable[[Mapping[str, Any]], Any]:
    """What finds a site's own flag: a number of local menu 1 is a yes or a no."""
    return lambda row: menu_word(row.get(name))
