"""One job in a fresh process: a run of the engine over all customers, measured or taken apart; a JSON line at the end.

Processor time and wall time are those of `engine.run` alone; imports and building the engine are outside.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

from mlconnector_sdk import MailchimpSink, SyncEngine
from mlconnector_sdk.state import SQLiteStateStore

from ._sources import source_of

MIB = 1024 * 1024


def engine_for(where: dict[str, Any], state: str) -> SyncEngine:
    """The pipeline as a user would build it: defaults everywhere, state on disk."""
    mailchimp = where["mailchimp"]
    sink = MailchimpSink(mailchimp["api_key"], list_id=mailchimp["list_id"], base_url=mailchimp["base_url"])
    source = source_of(where["site"], where["erp"])
    return SyncEngine(source, sink, state=SQLiteStateStore(state), name="bench", progress=False)


def memory(name: str) -> float:
    """`VmRSS` (now) or `VmHWM` (peak) of this process in MiB.

    The peak that `getrusage` tells is also that of the process which started this one; only where there is no
    `/proc` it has to do.
    """
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    except OSError:
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / MIB
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{name}:"))


def run(job: dict[str, Any]) -> dict[str, Any]:
    """Do the job and tell the figures."""
    result: dict[str, Any] = {}
    with engine_for(job["where"], job["state"]) as engine:
        start = memory("VmRSS")
        before, began = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
        if job["how"] == "stages":
            from ._stages import Breakdown

            with Breakdown(job["where"]["site"]) as breakdown:
                report = engine.run(["customers"], full=True)
            result["stages"] = breakdown.seconds
        elif job["how"] == "functions":
            from ._stages import top_functions

            report, result["functions"] = top_functions(lambda: engine.run(["customers"], full=True))
        else:
            report = engine.run(["customers"], full=True)
        wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF)
    if not report.ok:
        raise SystemExit(str(report))
    requests = dict(report.requests)
    result |= {
        "wall": wall,
        "cpu": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        "system": after.ru_stime - before.ru_stime,
        "requests": {"mailchimp": requests.pop("mailchimp"), "erp": sum(requests.values())},
        "counts": report.stream("customers").counts,
        "start_mib": start,
        "peak_mib": memory("VmHWM"),
    }
    return result


if __name__ == "__main__":
    print(json.dumps(run(json.loads(sys.argv[1]))))
