"""Mailchimp as the place records are loaded to: members of one audience, orders of one store."""

from ..models import Store
from ._sink import MailchimpSink

__all__ = ["MailchimpSink", "Store"]
