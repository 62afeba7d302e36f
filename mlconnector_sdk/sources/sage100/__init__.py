"""Sage 100 (once MAS 90 and MAS 200), through an agent beside it or its own web services."""

from ._agent import Sage100Agent
from ._soap import Sage100Soap
from ._source import Sage100

__all__ = ["Sage100", "Sage100Agent", "Sage100Soap"]
