"""Sage 100 (once MAS 90 and MAS 200), through an agent beside it or its own web services."""
