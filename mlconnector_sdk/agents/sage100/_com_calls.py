"""One COM object of Sage 100: calls, outputs by reference, joined lists, and errors that cost the session."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import attrs

from ._errors import AgentError, BoiAnswer

__all__ = ["SEPARATOR", "Com", "ComObject", "Reference", "bare", "by_value", "parts_of"]

SEPARATOR = "\u0160"
"""What joins lists: byte 0x8A, which Windows shows as an S with a caron."""

Reference: TypeAlias = Callable[[Any], Any]
"""Makes the argument of an output by reference from the value it starts with."""


def by_value(seed: Any) -> Any:
    """The reference of a dispatcher that hands outputs back as further members of the result."""
    return seed


def bare(text: object) -> str:
    """Text without what pads it: NUL bytes and blanks."""
    return str(text).strip("\0").rstrip(" \0")


def parts_of(joined: str) -> list[str]:
    """The members of a joined list; the separator may also stand behind the last one."""
    members = joined.split(SEPARATOR)
    if not members[-1]:
        members.pop()
    return members


def _spoken(method: str) -> str:
    """A method's name as Sage 100's own scripts have it: without the letter that tells COM what it returns."""
    return method[1:] if method[:1] in "ns" and method[1:2].isupper() else method


@attrs.frozen
class Com:
    """How calls reach COM objects: what dispatches, and how it takes outputs by reference."""

    dispatch: Callable[[], Any]
    reference: Reference = by_value


@attrs.define
class ComObject:
    """A COM object by the name it was made under.

    Any exception out of a call means that the session behind it cannot be trusted any more.
    """

    raw: Any
    name: str
    com: Com

    def number(self, method: str, *arguments: Any) -> int:
        """Call a method that returns a code."""
        return int(self._returned(self._call(method, *arguments)) or 0)

    def text(self, method: str, *arguments: Any) -> str:
        """Call a method, or read a property, that returns a text."""
        return str(self._returned(self._call(method, *arguments)) or "")

    def outputs(self, method: str, *arguments: Any, seeds: Sequence[Any], tail: Sequence[Any] = ()) -> tuple[Any, ...]:
        """Call a method with outputs by reference: its code, then the outputs.

        Late-bound dispatch either hands them back with the result, or leaves them in the variants that were passed.
        """
        references = [self.com.reference(seed) for seed in seeds]
        answer = self._call(method, *arguments, *references, *tail)
        if isinstance(answer, tuple):
            return int(answer[0] or 0), *answer[1 : 1 + len(seeds)]
        return int(answer or 0), *(getattr(reference, "value", reference) for reference in references)

    def value(self, column: str, seed: Any) -> Any:
        """The value of a column, named as Sage 100 names it: text and dates with `$`.

        Raises:
            AgentError: Sage 100 does not hand the column out.
        """
        code, value = self.outputs("nGetValue", column, seeds=(seed,))
        if not code:
            raise self.refusal("INTERNAL", f"{column} of {self.name} cannot be read", "nGetValue", column=column)
        return value

    def child(self, name: str) -> ComObject:
        """Another object that this one has as a property."""
        return ComObject(self._call(name), f"{self.name}.{name}", self.com)

    def made(self, name: str, *arguments: Any) -> ComObject | None:
        """A new object by its name; `None` where Sage 100 gives none."""
        raw = self._returned(self._call("NewObject", name, *arguments))
        return None if raw is None or isinstance(raw, int | str) else ComObject(raw, name, self.com)

    @property
    def message(self) -> str:
        """Why the last call was refused, word for word."""
        return self.text("sLastErrorMsg")

    def answer(self, method: str, *, column: str | None = None, result: int = 0) -> BoiAnswer:
        """What it said to the last call."""
        return BoiAnswer(object=self.name, method=_spoken(method), column=column, result=result, text=self.message)

    def refusal(self, code: Any, message: str, method: str, *, column: str | None = None, **more: Any) -> AgentError:
        """The error of a refused call, with what Sage 100 said."""
        return AgentError(code, message, boi=self.answer(method, column=column), **more)

    def _call(self, name: str, *arguments: Any) -> Any:
        try:
            member = getattr(self.raw, name)
            # Late-bound dispatch cannot tell a property from a method without arguments.
            return member(*arguments) if callable(member) else member
        except Exception as error:
            boi = BoiAnswer(object=self.name, method=_spoken(name), text=type(error).__name__)
            message = f"the connection to Sage 100 broke in {name}: the next request gets a new session"
            raise AgentError("SESSION_LOST", message, boi=boi, poisons=True) from error

    def _returned(self, answer: Any) -> Any:
        return answer[0] if isinstance(answer, tuple) and answer else answer
