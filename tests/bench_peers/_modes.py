"""The situations that every peer is put in."""

from __future__ import annotations

from typing import Literal

import attrs

__all__ = ["MODES", "Mode"]


@attrs.frozen(kw_only=True)
class Mode:
    """One situation.

    Attributes:
        read: by the peer's own cursor, or the whole list whatever the cursor says.
        after_load: starts from the state and the audience that a first load left.
        edition: of the ERP's data; the second one has 1 % of the records edited.
        choosy: Mailchimp refuses 1 % of the members in `errors[]`.
        latency: seconds that every answer takes.
        limited: one bulk call of a hundred is answered with 429 and `Retry-After: 2`.
        killed: the first run is killed when a random share of the members has arrived.
        fewer: how many repetitions fewer than asked for; there is one at least.
    """

    name: str
    title: str
    read: Literal["cursor", "whole"] = "cursor"
    after_load: bool = False
    edition: Literal["first", "second"] = "first"
    choosy: bool = False
    latency: float = 0.0
    limited: bool = False
    killed: bool = False
    fewer: int = 1

    @classmethod
    def named(cls, name: str) -> Mode:
        """The mode of this name."""
        return next(mode for mode in MODES if mode.name == name)

    @property
    def spoiled(self) -> bool:
        """Whether a run that fails is part of what is shown."""
        return self.choosy or self.limited or self.killed

    def rounds(self, repeat: int) -> int:
        """How many pairs are measured."""
        return max(1, repeat - self.fewer)

    def limited_at(self, records: int) -> int:
        """Which bulk call of a hundred is refused, so that there is one in the middle of any load; 0 for none."""
        return max(1, min(20, records // 1000)) if self.limited else 0

    def expected(self, records: int, refused: int) -> int:
        """How many different members have to arrive, of so many records, when so many are refused."""
        if not self.after_load:
            return records - refused
        return 0 if self.edition == "first" else len(range(3, records, 100))


MODES = (
    Mode(name="load", title="all new", fewer=0),
    Mode(name="again", title="nothing changed, asked by cursor", after_load=True),
    Mode(name="reread", title="nothing changed, whole list read again", read="whole", after_load=True, fewer=0),
    Mode(name="changed", title="1 % changed, asked by cursor", after_load=True, edition="second"),
    Mode(
        name="changed-reread",
        title="1 % changed, whole list read again",
        read="whole",
        after_load=True,
        edition="second",
    ),
    Mode(name="refused", title="all new, 1 % refused in errors[]", choosy=True),
    Mode(name="latency", title="all new, every answer takes 50 ms", latency=0.05, fewer=2),
    Mode(name="limited", title="all new, one bulk call of 100 answered 429 with Retry-After: 2", limited=True, fewer=2),
    Mode(name="killed", title="all new, killed at a random moment, then run again", killed=True),
)
