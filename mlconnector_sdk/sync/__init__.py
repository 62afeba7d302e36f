"""The engine and what it reports."""

from ._drift import Drift, ReconcileReport
from ._engine import SyncEngine
from ._report import Checks, PlannedChange, Report, StreamReport
from ._sweep import SweepReport, SweptRecord

__all__ = [
    "Checks",
    "Drift",
    "PlannedChange",
    "ReconcileReport",
    "Report",
    "StreamReport",
    "SweepReport",
    "SweptRecord",
    "SyncEngine",
]
