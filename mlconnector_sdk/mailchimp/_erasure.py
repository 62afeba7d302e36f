"""One person deleted for good: the orders and the customer of the store, then the member."""

from __future__ import annotations

from ..errors import RecordNotFoundError
from ..models import Forgotten, Store, member_id
from ._client import MailchimpClient
from ._wire import address_key, path

__all__ = ["forget"]


def forget(client: MailchimpClient, list_id: str, store: Store | None, address: str) -> Forgotten:
    """Delete whatever there is about an address. What is gone already is no error, so this may be repeated.

    The store goes first: once the member is deleted, nothing must be left that names it. Orders go one by one, because
    whether they go with their customer is not documented.

    Raises:
        RecordError: Mailchimp refuses; what was deleted before stays deleted.
        TransientError, FatalError: as in `MailchimpClient.send`.
    """
    customers = orders = 0
    if store is not None:
        root = path("ecommerce", "stores", store.id)
        for customer in _customers(client, root, address):
            for order in _orders(client, root, customer):
                orders += _deleted(client, f"{root}{path('orders', order)}", "DELETE order")
            customers += _deleted(client, f"{root}{path('customers', customer)}", "DELETE customer")
    url = f"{path('lists', list_id, 'members', member_id(address))}/actions/delete-permanent"
    member = _sent(client, "POST", url, "POST delete-permanent")
    return Forgotten(member=member, store_customers=customers, orders=orders)


def _customers(client: MailchimpClient, root: str, address: str) -> list[str]:
    """The store's customers of this address, those that others created included."""
    url, fields = f"{root}/customers", "id email_address"
    try:
        found = client.get_all(url, "customers", operation="GET customers", fields=fields, email_address=address)
    except RecordNotFoundError:
        # The store itself is created by the first run.
        return []
    return [str(row["id"]) for row in found if address_key(str(row.get("email_address") or "")) == address_key(address)]


def _orders(client: MailchimpClient, root: str, customer: str) -> list[str]:
    rows = client.get_all(
        f"{root}/orders", "orders", operation="GET orders", fields="id customer.id", customer_id=customer
    )
    return [str(row["id"]) for row in rows if str((row.get("customer") or {}).get("id")) == customer]


def _deleted(client: MailchimpClient, url: str, operation: str) -> int:
    return int(_sent(client, "DELETE", url, operation))


def _sent(client: MailchimpClient, method: str, url: str, operation: str) -> bool:
    try:
        client.send(method, url, operation=operation)
    except RecordNotFoundError:
        return False
    return True
