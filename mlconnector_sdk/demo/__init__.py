"""A whole sync on one machine: `python -m mlconnector_sdk.demo`.

A simulated ERP and a simulated Mailchimp answer real HTTP on loopback; the engine, its state in SQLite and everything
between are those of production. Each step says what it shows and checks it; the command exits with 1, naming what did
not hold, if something is not as promised.
"""

from ._command import main
from ._erps import DemoClock, SimulatedERP
from ._story import Demo, NotAsPromisedError

__all__ = ["Demo", "DemoClock", "NotAsPromisedError", "SimulatedERP", "main"]
