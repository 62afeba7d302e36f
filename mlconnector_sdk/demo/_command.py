"""The command line of the demo."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from ..errors import MLConnectorError
from ._erps import DemoClock, SimulatedAcumatica, SimulatedERP
from ._paper import line
from ._sage100 import SimulatedSage100
from ._sage300 import SimulatedSage300
from ._sagex3 import SimulatedSageX3
from ._story import Demo, NotAsPromisedError
from ._syspro import SimulatedSyspro

__all__ = ["main"]

ERPS: dict[str, Callable[[int, DemoClock, float], SimulatedERP]] = {
    "acumatica": SimulatedAcumatica,
    "sage100": SimulatedSage100,
    "sage300": SimulatedSage300,
    "sagex3": SimulatedSageX3,
    "syspro": SimulatedSyspro,
}
"""What `--source` can name: how each is made from a number of customers, a clock and a latency in seconds."""

FEWEST_CUSTOMERS = 20


def main(arguments: Sequence[str] | None = None, *, on_start: Callable[[Demo], object] | None = None) -> int:
    """Run the demo; returns the exit code: 0 when everything held, 1 when something did not.

    Args:
        arguments: those of the command line if not given.
        on_start: see `Demo.play`.
    """
    options = _options(arguments)
    database = options.db or Path(tempfile.mkdtemp(prefix="mlconnector-demo-")) / "state.db"
    clock = DemoClock()
    erp = ERPS[options.source](options.customers, clock, options.latency)
    demo = Demo(erp, clock=clock, database=database, latency=options.latency)
    started = time.monotonic()
    try:
        demo.play(on_start)
    except NotAsPromisedError as error:
        problem = f"NOT AS PROMISED in {demo.step}: expected that {error}"
    except MLConnectorError as error:
        problem = f"ENDED EARLY in {demo.step}: {error}"
    else:
        line(f"It took {time.monotonic() - started:.1f} s.")
        return 0
    sys.stderr.write(f"\n{problem}\n")
    return 1


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m mlconnector_sdk.demo",
        description="Syncs a simulated ERP into a simulated Mailchimp over real HTTP, step by step, and checks itself.",
    )
    parser.add_argument("--source", choices=sorted(ERPS), default="acumatica", help="which ERP (%(default)s)")
    parser.add_argument("--customers", type=int, default=300, metavar="N", help="size of the ERP (%(default)s)")
    parser.add_argument("--db", type=Path, metavar="PATH", help="file to keep the state in (in a temporary folder)")
    parser.add_argument("--latency", type=float, default=0.0, metavar="SECONDS", help="time each answer takes (none)")
    options = parser.parse_args(arguments)
    if options.customers < FEWEST_CUSTOMERS:
        parser.error(f"--customers must be {FEWEST_CUSTOMERS} or more, so that the story has its people")
    if options.latency < 0:
        parser.error("--latency must not be negative")
    if options.db and options.db.exists():
        parser.error(f"--db {options.db} exists; the demo begins with a state of its own: name a new file")
    return options
