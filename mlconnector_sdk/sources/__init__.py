"""Readers of ERP systems: one package per system, named after it."""

from __future__ import annotations

__all__: list[str] = []
