"""The agent for Sage 100 (US): a WSGI application over its business objects, which are COM objects on Windows.

Sage 100 itself has no interface that lists records over a network. This agent runs on a machine of the Sage 100
network, logs on as a Sage 100 user, and serves customers, contacts, vendors, items, orders, invoices and ledger
accounts as JSON, by time of change or by key; it can also mark a customer as not to be mailed. The source
`mlconnector_sdk.Sage100` speaks to it. The contract is published as `docs/reference/sage100-agent.openapi.yaml`.

The agent keeps nothing on disk.
"""

from ._application import Agent, create_app
from ._settings import AgentSettings

__all__ = ["Agent", "AgentSettings", "create_app"]
