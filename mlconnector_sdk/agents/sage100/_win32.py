"""COM on Windows, by way of pywin32, which is imported only here and only when it is needed."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from ...errors import MissingDependencyError
from ._com_calls import Com

__all__ = ["windows_com"]

_PROGRAM = "ProvideX.Script"


def windows_com() -> tuple[Com, Callable[[], None]]:
    """How to reach Sage 100's COM class, and what each thread must do before its first call.

    Raises:
        MissingDependencyError: pywin32 is not installed, or this is not Windows.
    """
    try:
        client: Any = import_module("win32com.client")
        pythoncom: Any = import_module("pythoncom")
    except ImportError as error:
        message = (
            "the Sage 100 agent needs Windows and pywin32: install mlconnector_sdk[sage100-agent] on the machine "
            "where Sage 100's workstation setup has run"
        )
        raise MissingDependencyError(message) from error

    def reference(seed: Any) -> Any:
        kind = pythoncom.VT_BSTR if isinstance(seed, str) else pythoncom.VT_R8
        return client.VARIANT(pythoncom.VT_BYREF | kind, seed)

    return Com(lambda: client.Dispatch(_PROGRAM), reference), pythoncom.CoInitialize
