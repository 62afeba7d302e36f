"""Tells by its message why Sage 100 refused, because its return codes do not."""

from __future__ import annotations

import re
from collections.abc import Iterable

import attrs

from ._errors import Holder

__all__ = ["LICENCE_TEXTS", "LOCK_TEXTS", "MAINTENANCE_TEXTS", "SECURITY_TEXTS", "Texts"]

LOCK_TEXTS = (r"\bin use\b", r"\blocked\b", r"\bbusy\b")
MAINTENANCE_TEXTS = (r"maintaining the system", r"\bmaintenance mode\b")
LICENCE_TEXTS = (r"\blicen[cs]e", r"\bmaximum (number of )?users\b", r"\bno more users\b")
SECURITY_TEXTS = (r"\bnot authorized\b", r"\bno access\b", r"\bsecurity\b")


def _compiled(patterns: Iterable[str]) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(pattern, re.IGNORECASE) for pattern in patterns)


@attrs.frozen(kw_only=True)
class Texts:
    """Patterns to find in messages; none of the vendor's texts is documented, so sites can add theirs."""

    locks: tuple[re.Pattern[str], ...] = attrs.field(converter=_compiled)
    maintenance: tuple[re.Pattern[str], ...] = attrs.field(converter=_compiled)
    licence: tuple[re.Pattern[str], ...] = attrs.field(converter=_compiled)
    security: tuple[re.Pattern[str], ...] = attrs.field(converter=_compiled)

    def holder(self, message: str) -> Holder | None:
        """Who holds a record, if the message is about a held record at all.

        A pattern may name groups `user` and `workstation`.
        """
        for pattern in self.locks:
            if found := pattern.search(message):
                groups = found.groupdict()
                return Holder(user=groups.get("user"), workstation=groups.get("workstation"))
        return None

    def is_maintenance(self, message: str) -> bool:
        return any(pattern.search(message) for pattern in self.maintenance)

    def is_licence(self, message: str) -> bool:
        return any(pattern.search(message) for pattern in self.licence)

    def is_security(self, message: str) -> bool:
        return any(pattern.search(message) for pattern in self.security)
