"""Sage 300 (once Accpac) through its Web API."""

from ._source import Sage300

__all__ = ["Sage300"]
