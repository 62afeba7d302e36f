"""The engine and what it reports."""

from ._engine import SyncEngine
from ._report import Checks, PlannedChange, Report, StreamReport

__all__ = ["Checks", "PlannedChange", "Report", "StreamReport", "SyncEngine"]
