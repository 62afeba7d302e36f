"""A fake of Sage 100's Business Object Interface: what `win32com.client.Dispatch("ProvideX.Script")` returns."""

from __future__ import annotations

import weakref
from typing import Any, Final

import attrs

from ._sage100_com_calls import Link, Manner, Troubles, com_error
from ._sage100_com_catalog import OBJECTS
from ._sage100_com_editing import Editing
from ._sage100_com_reading import Reading
from ._sage100_com_session import Session
from ._sage100_site import Sage100Site

__all__ = ["FakeProvideX"]

_NO_CLASS = -2147221005


class FakeProvideX:
    r"""The COM object `ProvideX.Script` over the companies of a `Sage100Site`: sessions, reading, result sets, writing.

    Names, order of calls, return codes, separators and locks are those of the real interface. By-reference arguments
    come back as pywin32 does it: where plain values are given, the outputs follow the return code in a tuple, so that
    `code, name = bus.nGetValue("CustomerName$", "")`; a `win32com.client.VARIANT` with `VT_BYREF` gets the value
    instead, and the answer is the code alone. `sLastErrorMsg` and `nEOF` may be read or called.

    The first COM error on a session or one of its objects spoils it for good: every later call on them fails. A licence
    and a record in hand come free when nobody holds the session or the object any more.

    Objects: those seen in the field, and `AP_Vendor_svc`, `AP_Vendor_bus` (task `AP_Vendor_ui`, module A/P) and
    `GL_Account_svc` (`GL_Account_ui`, G/L), which follow the same naming rule.

    Args:
        site: the installation.
        manner: see `Manner`; its fields may be given by name instead.

    Attributes:
        manner: may be set anew; processes that `dispatch` starts from then on behave so.
        com_error: the class of its COM errors, which stands for `pywintypes.com_error`.

    Example:
        >>> site = Sage100Site()
        >>> user = site.add_user("sync", "secret")
        >>> script = FakeProvideX(site)
        >>> script.Init(r"C:\Sage\Sage 100\MAS90\Home")
        >>> session = script.NewObject("SY_Session")
        >>> session.nSetUser("sync", "secret"), session.nSetCompany("ABC")
        (1, 1)
        >>> session.nSetDate("A/R", "20260301"), session.nSetModule("A/R")
        (1, 1)
        >>> script.NewObject("AR_Customer_svc", session).nGetResultSets("CustomerNo$", "CustomerName$", "", "", "")
        (1, '', '')
    """

    com_error: Final = com_error

    def __init__(self, site: Sage100Site, manner: Manner | None = None, **changes: Any) -> None:
        self.site = site
        self.manner = attrs.evolve(manner or Manner(), **changes)
        self.dispatched = 0
        """How many processes `dispatch` has started."""
        self._troubles = Troubles()
        self._home: str | None = None
        self._sessions: weakref.WeakSet[Session] = weakref.WeakSet()
        self._link = Link(site, self.manner, self._troubles)

    def dispatch(self, name: str) -> FakeProvideX:
        """A process of its own over the same site, with the same manner and troubles: stands for `Dispatch`.

        Raises:
            com_error: the name is not `ProvideX.Script`.
        """
        if name.removesuffix(".1") != "ProvideX.Script":
            raise com_error(_NO_CLASS, "Invalid class string")
        self.dispatched += 1
        started = FakeProvideX(self.site, self.manner)
        started._troubles = self._troubles
        started._link = Link(self.site, self.manner, self._troubles)
        return started

    @property
    def link(self) -> Link:
        return self._link

    # -- the interface ------------------------------------------------------------------------------------------

    def Init(self, home: str) -> None:
        """Begin, in the folder `Home` of the installation.

        Raises:
            com_error: it is another folder.
        """
        self._link.enter("Init")
        folder = home.rstrip("\\/").replace("/", "\\").upper()
        wanted = self.manner.home
        fits = folder.endswith("\\HOME") if wanted is None else folder == wanted.rstrip("\\").upper()
        if not fits:
            raise com_error.raised(f"Error #12: File does not exist (or already exists): {home}")
        self._home = folder

    def NewObject(self, name: str, session: Session | None = None) -> Any:
        """A session, or a business object of a session; `None` (or a COM error) where it may not be had.

        Raises:
            com_error: `Init` was not called, or objects are refused by errors.
        """
        if session is not None and session not in self._sessions:
            raise com_error.raised(f"{name}: the session is none of this process")
        trouble = (session or self).link.enter("NewObject")
        if self._home is None:
            raise com_error.raised("NewObject before Init")
        if trouble is not None:
            if session is not None:
                session.tell(trouble.text)
            return None
        if name == "SY_Session":
            return self._new_session()
        if session is None:
            raise com_error.raised(f"{name} needs a session")
        return self._new_object(name, session)

    def _new_session(self) -> Session | None:
        if sum(session.alive for session in self._sessions) >= self.manner.sessions:
            return None
        session = Session(self._link.sibling())
        self._sessions.add(session)
        return session

    def _new_object(self, name: str, session: Session) -> Reading | None:
        entry = OBJECTS.get(name)
        opening = None if entry is None else session.opening(entry)
        if entry is None or opening is None:
            if self.manner.refusal == "error":
                raise session.spoil(f"Error #90: Cannot create the object {name}")
            return None
        return (Editing if entry.edits else Reading)(session.link, entry, *opening)

    # -- for tests ----------------------------------------------------------------------------------------------

    def crash(self, method: str, *, times: int = 1, text: str = "Error #15: Operating system command failed") -> None:
        """Let the next calls of a method fail with a COM error, whichever process they are made in."""
        self._troubles.add(method, None, text, times)

    def refuse(self, method: str, text: str, *, times: int = 1) -> None:
        """Let the next calls of a method answer 0 with this message, and do nothing."""
        self._troubles.add(method, 0, text, times)

    def warn(self, method: str, text: str, *, times: int = 1) -> None:
        """Let the next calls of `nSetValue` or `nWrite` that succeed answer -1 with this message.

        Raises:
            ValueError: the method has no warnings.
        """
        if method not in {"nSetValue", "nWrite"}:
            raise ValueError(f"{method} never answers -1: only nSetValue and nWrite do")
        self._troubles.add(method, -1, text, times)
