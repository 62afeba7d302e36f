"""Mailchimp as the place records are loaded to: members of one audience, orders of one store.

And as what tells us things by itself: its webhooks, verified and parsed.
"""

from ..models import Store
from ._account import MailchimpAccount
from ._hooks import Webhook, Webhooks, webhook_secret_name
from ._oauth import MailchimpOAuth
from ._reports import CampaignReports
from ._signatures import verify_url_secret
from ._sink import MailchimpSink
from ._webhooks import parse_transactional_webhook, parse_webhook

__all__ = [
    "CampaignReports",
    "MailchimpAccount",
    "MailchimpOAuth",
    "MailchimpSink",
    "Store",
    "Webhook",
    "Webhooks",
    "parse_transactional_webhook",
    "parse_webhook",
    "verify_url_secret",
    "webhook_secret_name",
]
