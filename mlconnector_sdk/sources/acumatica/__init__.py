"""Acumatica Cloud ERP through its contract-based REST API."""

from ._source import Acumatica

__all__ = ["Acumatica"]
