"""Doors to host programs, one module each; the rest of the library never imports them.

`wsgi` and `asgi` receive webhooks, as applications for any server or framework. Which webhooks, and how they prove that
they are genuine, is said by `AudienceWebhooks` and `TransactionalWebhooks`.
"""

from ._receiving import AudienceWebhooks, TransactionalWebhooks

__all__ = ["AudienceWebhooks", "TransactionalWebhooks"]
