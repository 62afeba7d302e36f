"""The engine and what it reports."""

from ._books import PipelineBooks
from ._drift import Drift, ReconcileReport
from ._engine import SyncEngine
from ._report import Checks, PlannedChange, Report, StreamReport
from ._sweep import SweepReport, SweptRecord

__all__ = [
    "Checks",
    "Drift",
    "PipelineBooks",
    "PlannedChange",
    "ReconcileReport",
    "Report",
    "StreamReport",
    "SweepReport",
    "SweptRecord",
    "SyncEngine",
]
