"""General ledger account numbers, cut into the dimensions a company gave them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import attrs

from ..errors import ConfigurationError, MappingError

__all__ = ["GLAccount", "GLAccountFormat"]

_CLASSES = {"N": ("[0-9]", "a digit"), "A": ("[A-Za-z]", "a letter"), "X": ("[A-Za-z0-9]", "a letter or a digit")}
_UNPRINTED = "|"


@attrs.frozen(kw_only=True, repr=False)
class GLAccount:
    """One account number, cut into its segments; equal when format and segments are equal.

    Attributes:
        layout: the format it was read with.
        parts: the text of each segment, in the order of `layout.dimensions`.

    Example:
        >>> account = GLAccountFormat("NNNN-NN", dimensions=["account", "branch"]).parse("4000-01")
        >>> account.main, account.segments["branch"], account.format()
        ('4000', '01', '4000-01')
    """

    layout: GLAccountFormat
    parts: tuple[str, ...]

    @property
    def segments(self) -> Mapping[str, str]:
        """Dimension -> text, in the order they are written."""
        return MappingProxyType(dict(zip(self.layout.dimensions, self.parts, strict=True)))

    @property
    def main(self) -> str:
        """The text of the main segment: what kind of account it is."""
        return self.segments[self.layout.main_dimension]

    def format(self) -> str:
        """The account as its format writes it: what `parse` was given."""
        return self.layout.write(self.parts)

    def __str__(self) -> str:
        return self.format()

    def __repr__(self) -> str:
        return f"<GLAccount {self.format()}>"


def _pieces_of(pattern: str) -> tuple[tuple[bool, str], ...]:
    """(is a segment, its class letters or the printed separator), left to right."""
    pieces = re.findall(r"([NAX]+)|([^NAX]+)", pattern)
    return tuple((bool(segment), segment or separator.replace(_UNPRINTED, "")) for segment, separator in pieces)


def _reader_of(pieces: tuple[tuple[bool, str], ...]) -> re.Pattern[str]:
    return re.compile(
        "".join(
            f"({''.join(_CLASSES[letter][0] for letter in text)})" if is_segment else re.escape(text)
            for is_segment, text in pieces
        )
    )


@attrs.frozen
class GLAccountFormat:
    """How a company writes its account numbers.

    Real ones: Sage 100 shows `4000-01-00` and stores `40000100` (one to ten segments, the first is the main account);
    Sage 300 has several structures side by side (`4010-100-10` and `4100`): make one format of each and ask `matches`.

    Args:
        pattern: `N` stands for a digit, `A` for a letter, `X` for either; a run of them is a segment. `|` ends a
            segment without printing anything (`"NNNN|NN|NN"` reads `40000100`); any other punctuation is itself.
        dimensions: a name for each segment.
        main_dimension: the one that tells what kind of account it is; the first one by default.

    Raises:
        ConfigurationError: the pattern is unusable, or dimensions and segments do not pair up.

    Example:
        >>> ledger = GLAccountFormat("NNNN-NN-NN", dimensions=["account", "branch", "department"])
        >>> dict(ledger.parse("4000-01-00").segments)
        {'account': '4000', 'branch': '01', 'department': '00'}
    """

    pattern: str
    dimensions: Sequence[str] = attrs.field(converter=tuple[str, ...], kw_only=True)
    main_dimension: str = attrs.field(
        kw_only=True, default=attrs.Factory(lambda self: next(iter(self.dimensions), ""), takes_self=True)
    )
    _pieces: tuple[tuple[bool, str], ...] = attrs.field(
        init=False, repr=False, eq=False, default=attrs.Factory(lambda self: _pieces_of(self.pattern), takes_self=True)
    )
    _reader: re.Pattern[str] = attrs.field(
        init=False, repr=False, eq=False, default=attrs.Factory(lambda self: _reader_of(self._pieces), takes_self=True)
    )

    def __attrs_post_init__(self) -> None:
        strangers = sorted({letter for letter in self.pattern if letter.isalnum() and letter not in _CLASSES})
        if strangers:
            raise ConfigurationError(f"pattern: {', '.join(strangers)} stands for nothing; use N, A, X and punctuation")
        segments = sum(is_segment for is_segment, _ in self._pieces)
        if not segments:
            raise ConfigurationError("pattern: it has no segment; use N, A or X")
        if len(self.dimensions) != segments:
            raise ConfigurationError(f"dimensions: {len(self.dimensions)} names for {segments} segments of the pattern")
        if len(set(self.dimensions)) != segments:
            raise ConfigurationError("dimensions: a name occurs twice")
        if self.main_dimension not in self.dimensions:
            raise ConfigurationError(f"main_dimension: {self.main_dimension!r} is none of the dimensions")

    def matches(self, text: str) -> bool:
        """Whether `parse` would accept the text.

        >>> GLAccountFormat("NNNN", dimensions=["account"]).matches("4000-01")
        False
        """
        return self._reader.fullmatch(text.strip()) is not None

    def parse(self, text: str) -> GLAccount:
        """The account, cut into segments; blanks around it are ignored, everything else must fit exactly.

        Raises:
            MappingError: naming the first position (from 1) that does not fit, and what belongs there.

        Example:
            >>> GLAccountFormat("NNNN|NNN", dimensions=["account", "site"]).parse("4000100").parts
            ('4000', '100')
        """
        found = self._reader.fullmatch(text.strip())
        if found is None:
            raise MappingError(self._misfit(text.strip()), operation="read GL account", reason="gl_account")
        return GLAccount(layout=self, parts=found.groups())

    def write(self, parts: Sequence[str]) -> str:
        """The segments' texts, in the order of `dimensions`, with the pattern's punctuation between them.

        >>> GLAccountFormat("NNNN-NN", dimensions=["account", "branch"]).write(["4000", "01"])
        '4000-01'
        """
        texts = iter(parts)
        return "".join(next(texts) if is_segment else text for is_segment, text in self._pieces)

    def _misfit(self, text: str) -> str:
        wanted = [
            _CLASSES[letter] if is_segment else (re.escape(letter), f"{letter!r}")
            for is_segment, piece in self._pieces
            for letter in piece
        ]
        for position, (expression, description) in enumerate(wanted, start=1):
            if position > len(text):
                return f"position {position}: {description} expected, but the account ends"
            if not re.fullmatch(expression, text[position - 1]):
                return f"position {position}: {description} expected"
        return f"position {len(wanted) + 1}: the account should end here"
