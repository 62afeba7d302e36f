"""OAuth 2 tokens as plain data, and back."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ..auth import OAuth2Token

__all__ = ["plain_token", "token_in"]


def plain_token(token: OAuth2Token) -> dict[str, Any]:
    """What JSON can hold of a token, which is all of it."""
    return {
        "access_token": token.access_token,
        "refresh_token": token.refresh_token,
        "expires_at": token.expires_at.isoformat() if token.expires_at else None,
        "scope": token.scope,
    }


def token_in(value: Any) -> OAuth2Token | None:
    """The token; `None` when the value is something else."""
    if not isinstance(value, dict) or not isinstance(value.get("access_token"), str):
        return None
    try:
        expires_at = datetime.fromisoformat(value["expires_at"]) if value.get("expires_at") else None
        return OAuth2Token(
            access_token=value["access_token"],
            refresh_token=str(value.get("refresh_token") or ""),
            expires_at=expires_at,
            scope=str(value.get("scope") or ""),
        )
    except (ValueError, TypeError):
        return None
