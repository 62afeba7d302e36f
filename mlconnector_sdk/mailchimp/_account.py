"""`MailchimpAccount`: one account that its owner connected, as a value that can be kept."""

from __future__ import annotations

import json

import attrs

from ..errors import ConfigurationError
from ._wire import SYSTEM

__all__ = ["MailchimpAccount", "opened_account"]


@attrs.frozen(kw_only=True)
class MailchimpAccount:
    """An account whose owner let this program in; hand it to `MailchimpSink` in place of an API key.

    Its token has no end, until the owner disconnects the program. Keep the value as a whole, by `to_secret`.

    Attributes:
        access_token: the token; it never shows.
        api_endpoint: the address of the account's data centre, without the API's version.
        dc: the data centre's name, such as `us6`.
        account_id: Mailchimp's id of the account: what to tell connections apart by.
        account_name: what its owner calls it.

    Example:
        >>> MailchimpAccount(access_token="secret", api_endpoint="https://us6.api.mailchimp.com", dc="us6")
        MailchimpAccount(api_endpoint='https://us6.api.mailchimp.com', dc='us6', account_id='', account_name='')
    """

    access_token: str = attrs.field(repr=False, validator=attrs.validators.min_len(1))
    api_endpoint: str = attrs.field(validator=attrs.validators.min_len(1))
    dc: str = ""
    account_id: str = ""
    account_name: str = ""

    @property
    def base_url(self) -> str:
        """The root of this account's API, with its version."""
        return f"{self.api_endpoint.rstrip('/')}/3.0"

    @property
    def secret_name(self) -> str:
        """What the account is called in a vault, unless a name is given."""
        return f"mailchimp account {self.account_id}".strip()

    def to_secret(self) -> str:
        """The whole value as one text that holds the token: for a vault, never for a log."""
        return json.dumps(attrs.asdict(self))

    @classmethod
    def from_secret(cls, text: str) -> MailchimpAccount:
        """The value that `to_secret` wrote.

        Raises:
            ConfigurationError: the text is no such value.
        """
        try:
            facts = json.loads(text)
            return cls(**{field.name: str(facts[field.name]) for field in attrs.fields(cls)})
        except (ValueError, LookupError, TypeError):
            # Without its cause, which would show the text.
            raise ConfigurationError(
                "what was kept is no Mailchimp account: let its owner connect it again", system=SYSTEM
            ) from None


def opened_account(text: str) -> MailchimpAccount | None:
    """The account in a kept text; `None` when the text is something else, such as an API key."""
    return MailchimpAccount.from_secret(text) if text.lstrip().startswith("{") else None
