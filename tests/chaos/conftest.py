"""Processes that fork and are killed are a matter of POSIX."""

from __future__ import annotations

import os

collect_ignore = [] if hasattr(os, "fork") else ["test_chaos.py"]
