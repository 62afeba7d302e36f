"""The engine and what it reports."""

from ._engine import SyncEngine
from ._report import Checks, PlannedChange, Report, StreamReport
from ._sweep import SweepReport, SweptRecord

__all__ = ["Checks", "PlannedChange", "Report", "StreamReport", "SweepReport", "SweptRecord", "SyncEngine"]
