"""What importing costs: processes that import one thing, by turns, less one that imports nothing."""

from __future__ import annotations

import subprocess
import sys
import time
from statistics import median

from ._bench import ENVIRONMENT

__all__ = ["measure_imports"]

FACTOR = 1.5
STATEMENTS = {
    "nothing": "pass",
    "import httpx": "import httpx",
    "import mlconnector_sdk": "import mlconnector_sdk",
    "all that a pipeline needs": (
        "from mlconnector_sdk import Acumatica, MailchimpSink, SQLiteStateStore, SyncEngine, Store"
    ),
}


def measure_imports(repeat: int) -> dict[str, list[float]]:
    """Milliseconds of each; the SDK itself must stay below a multiple of what httpx costs."""
    seconds: dict[str, list[float]] = {name: [] for name in STATEMENTS}
    for turn in range(repeat + 1):
        for name, statement in STATEMENTS.items():
            began = time.perf_counter()
            subprocess.run([sys.executable, "-c", statement], check=True, env=ENVIRONMENT)
            # The first turn may have files to read and to compile.
            if turn:
                seconds[name].append(time.perf_counter() - began)
    bare = median(seconds.pop("nothing"))
    cost = {name: [round((one - bare) * 1000, 1) for one in found] for name, found in seconds.items()}
    yardstick = median(cost["import httpx"])
    print(f"\n{'import':<28}{'ms':>8}{'of httpx':>10}")
    for name, found in cost.items():
        print(f"{name:<28}{median(found):>8.1f}{median(found) / yardstick:>10.2f}")
    within = median(cost["import mlconnector_sdk"]) <= FACTOR * yardstick
    print(f"import mlconnector_sdk: {'ok' if within else 'NOT OK'}, {FACTOR} times httpx at the most")
    return cost
