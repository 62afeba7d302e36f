"""Rights of files for processes of root, which otherwise may write whatever it likes."""

from __future__ import annotations

import ctypes
import os

_VERSION_3 = 0x20080522
_DAC_OVERRIDE, _DAC_READ_SEARCH = 1 << 1, 1 << 2


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Data(ctypes.Structure):
    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


def obey_modes() -> None:
    """Let this process meet what any user meets whose file is read-only.

    Raises:
        OSError: the kernel does not let it.
    """
    if os.geteuid() != 0:
        return
    libc = ctypes.CDLL(None, use_errno=True)
    header, data = _Header(_VERSION_3, 0), (_Data * 2)()
    for call in (libc.capget, libc.capset):
        if call(ctypes.byref(header), data) != 0:
            raise OSError(ctypes.get_errno(), "the capabilities of this process could not be changed")
        # Linux keeps the first 32 capabilities, which these are of, in the first of two words.
        data[0].effective &= ~(_DAC_OVERRIDE | _DAC_READ_SEARCH)
