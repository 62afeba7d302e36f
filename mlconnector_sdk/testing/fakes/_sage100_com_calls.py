"""How calls reach a fake COM server: errors, by-reference arguments, sessions that can be spoilt, made-up troubles."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

import attrs

from ._sage100_site import MAINTENANCE, Sage100Site

__all__ = [
    "SEPARATOR",
    "CallableNumber",
    "CallableText",
    "ComObject",
    "Link",
    "Manner",
    "Messages",
    "Troubles",
    "answered",
    "com_error",
    "is_day",
    "outputs",
]

SEPARATOR = "\u0160"
"""ProvideX's separator, byte 0x8A, as code page 1252 shows it."""

_P = ParamSpec("_P")
_Self = TypeVar("_Self", bound="ComObject")

_EXCEPTION = -2147352567
_SERVER_FAULT = -2147417851
_WRONG_THREAD = -2147417842


class com_error(Exception):  # noqa: N801 - the name pywin32 gives it
    """Stands for `pywintypes.com_error`, which there is on Windows alone: the same name, arguments and attributes."""

    def __init__(
        self,
        hresult: int,
        strerror: str,
        excepinfo: tuple[Any, ...] | None = None,
        argerror: int | None = None,
    ) -> None:
        super().__init__(hresult, strerror, excepinfo, argerror)
        self.hresult = hresult
        self.strerror = strerror
        self.excepinfo = excepinfo
        self.argerror = argerror

    @classmethod
    def raised(cls, text: str) -> com_error:
        """An error that the program behind the object met."""
        info = (0, "ProvideX.Script", text, None, 0, _EXCEPTION)
        return cls(_EXCEPTION, "Exception occurred.", info)


@attrs.frozen(kw_only=True)
class Messages:
    """What `sLastErrorMsg` says. Only the text of maintenance is known; the others are made up, and a site's differ."""

    maintenance: str = MAINTENANCE
    bad_logon: str = "The user logon or password is not valid."
    no_licence: str = "The maximum number of licensed users has been reached."
    no_company: str = "The company code is not valid."
    no_external_access: str = "The company does not allow external access."
    one_company: str = "Another company is already open in this session."
    locked: str = "The record is in use by another user."
    no_access: str = "No Access - you are not authorized to perform this action"
    no_context: str = "The session has no user, company, module, date or program that fits the object."
    not_found: str = "The record is not on file."
    no_record: str = "There is no record: set the key first."


@attrs.frozen(kw_only=True)
class Manner:
    """How a fake behaves where the real one is known to vary, or is not known.

    Attributes:
        home: the folder `Init` must name; `None` is any that ends in `Home`.
        refusal: an object that may not be had is `"null"`, or a COM `"error"`.
        sessions: sessions alive in one process; more are refused.
        apartment: objects answer in the thread alone that dispatched them.
        padded: key columns come with NUL bytes up to their width, all but the last one of the key.
        unset_variables: in expressions, a name that is no column is blank or zero instead of an error.
        repeats_last: at the end `nMoveNext` answers 1 on the same record, again and again.
        last_separator: the lists of `nGetResultSets` end with a separator.
        messages: texts of `sLastErrorMsg`.
    """

    home: str | None = None
    refusal: str = "null"
    sessions: int = 1
    apartment: bool = False
    padded: bool = True
    unset_variables: bool = False
    repeats_last: bool = False
    last_separator: bool = True
    messages: Messages = Messages()


@attrs.frozen
class _Trouble:
    method: str
    code: int | None
    text: str


class Troubles:
    """What is to happen at coming calls, whichever object they are made on; each happens once."""

    def __init__(self) -> None:
        self._waiting: list[_Trouble] = []

    def add(self, method: str, code: int | None, text: str, times: int) -> None:
        self._waiting += [_Trouble(method, code, text)] * times

    def take(self, method: str) -> _Trouble | None:
        for trouble in self._waiting:
            if trouble.method == method:
                self._waiting.remove(trouble)
                return trouble
        return None


class Link:
    """The way from objects to the process behind them; spoilt for good by the first COM error."""

    def __init__(self, site: Sage100Site, manner: Manner, troubles: Troubles) -> None:
        self.site = site
        self.manner = manner
        self.troubles = troubles
        self.spoilt = False
        self.closed = False
        self._thread = threading.get_ident()

    def sibling(self) -> Link:
        """A way of its own to the same site."""
        return Link(self.site, self.manner, self.troubles)

    def enter(self, method: str) -> _Trouble | None:
        """Begin a call: whether something is to go wrong with it.

        Raises:
            com_error: the call does not get through.
        """
        if self.manner.apartment and threading.get_ident() != self._thread:
            raise com_error(
                _WRONG_THREAD, "The application called an interface that was marshalled for a different thread."
            )
        if self.spoilt or self.closed:
            raise com_error(_SERVER_FAULT, "The server threw an exception.")
        trouble = self.troubles.take(method)
        if trouble is not None and trouble.code is None:
            raise self.fail(trouble.text)
        return trouble

    def fail(self, text: str) -> com_error:
        """The error to raise; nothing gets through afterwards."""
        self.spoilt = True
        return com_error.raised(text)


class ComObject:
    """An object behind COM. What it does not have is an `AttributeError`, as late-bound dispatch says it."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._said = ""

    @property
    def _texts(self) -> Messages:
        return self._link.manner.messages

    def _refuse(self, text: str) -> int:
        self._said = text
        return 0

    @property
    def sLastErrorMsg(self) -> CallableText:
        """The message of the last call that failed or warned."""
        self._link.enter("sLastErrorMsg")
        return CallableText(self._said)


class CallableText(str):
    """A text that may be called as well: dispatch does not tell a property from a call without arguments."""

    __slots__ = ()

    def __call__(self) -> str:
        return str(self)


class CallableNumber(int):
    """A number that may be called as well."""

    def __call__(self) -> int:
        return int(self)


def answered(
    outs: int = 0,
) -> Callable[[Callable[Concatenate[_Self, _P], Any]], Callable[Concatenate[_Self, _P], Any]]:
    """Let a method be reached as the link allows; `outs` is how many by-reference outputs it has."""

    def wrap(method: Callable[Concatenate[_Self, _P], Any]) -> Callable[Concatenate[_Self, _P], Any]:
        name = method.__name__

        @wraps(method)
        def call(self: _Self, /, *args: _P.args, **kwargs: _P.kwargs) -> Any:
            trouble = self._link.enter(name)
            if trouble is not None and trouble.code == 0:
                self._said = trouble.text
                return outputs(0, [one for one in args if _is_variant(one)], [""] * outs) if outs else 0
            self._said = ""
            result = method(self, *args, **kwargs)
            if trouble is None or result != 1:
                return result
            self._said = trouble.text
            return trouble.code

        return call

    return wrap


def _is_variant(argument: Any) -> bool:
    return hasattr(argument, "varianttype")


def outputs(code: int, holders: Sequence[Any], values: Sequence[Any]) -> Any:
    """The answer of a method with by-reference outputs.

    A `win32com.client.VARIANT` made with `VT_BYREF` gets the value, and the code is the answer; a plain argument cannot
    be changed, so the outputs follow the code in a tuple.
    """
    if not any(_is_variant(holder) for holder in holders):
        return (code, *values)
    for holder, value in zip(holders, values, strict=False):
        if _is_variant(holder):
            holder.value = value
    return code


def is_day(text: str) -> bool:
    """Whether a text is a date as the files write it, `YYYYMMDD`."""
    try:
        return f"{datetime.strptime(text, '%Y%m%d'):%Y%m%d}" == text
    except ValueError:
        return False
