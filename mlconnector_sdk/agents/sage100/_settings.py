"""What an agent is told at its start."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import timedelta
from typing import Literal
from zoneinfo import ZoneInfo

import attrs

from ...errors import ConfigurationError
from ._texts import LICENCE_TEXTS, LOCK_TEXTS, MAINTENANCE_TEXTS, SECURITY_TEXTS, Texts

__all__ = ["AgentSettings"]

_SYSTEM = "sage100-agent"
_SHORTEST_TOKEN = 16


def _one_or_more(value: str | Iterable[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def _duration(value: timedelta | float) -> timedelta:
    return value if isinstance(value, timedelta) else timedelta(seconds=value)


@attrs.frozen(kw_only=True)
class AgentSettings:
    r"""The settings of an agent; durations are `timedelta` or seconds.

    Args:
        home: the folder `Home` of the Sage 100 installation, such as `\\server\Sage\MAS90\Home`.
        username, password: the Sage 100 user that the agent logs on as. Its roles say what the agent can read, and
            whether it can write. Give the agent a user of its own: several wrong passwords may lock it.
        tokens: the secret that callers send, or several while one replaces another; 16 characters at least.
        timezone: IANA name of the zone of the Sage 100 server's clock, such as `"America/Chicago"`.
        companies: the company codes to hand out; without any, all that the Sage 100 user may open.
        writable: columns of customers that callers may change, such as `["UDF_DO_NOT_EMAIL"]`; none by default.
        sessions: how many sessions work at the same time. Sage 100's business objects are built for one in a process.
        session_wait: how long a request waits for a session before it is answered `AGENT_BUSY`.
        session_age: after how long a session is closed and opened anew.
        session_idle: after how long without work a session is closed; an open one takes a user licence.
        call_timeout: after how long without an answer from Sage 100 a session is given up as hung.
        page_time: a page that takes longer to read is handed out as far as it got.
        scan_time: gathering keys may take this long.
        logon_pause: how long nothing is tried after a user was refused twice in a row.
        cursors: how many unfinished listings are remembered; the one unused for longest goes first.
        cursor_age: after how long without use a listing is forgotten.
        lock_texts: regular expressions, case aside, that a message contains when somebody holds a record. They may
            name groups `user` and `workstation`. Not documented by the vendor: add what your site's messages say.
        maintenance_texts, licence_texts, security_texts: the same for a closed system, for licences that are all
            taken, and for missing rights.
        sage100_version, edition: what `/health` should say; the agent cannot find out by itself.

    Raises:
        ConfigurationError: a setting is missing or wrong.
    """

    home: str
    username: str
    password: str = attrs.field(repr=False)
    tokens: tuple[str, ...] = attrs.field(converter=_one_or_more, repr=False)
    timezone: str
    companies: tuple[str, ...] = attrs.field(default=(), converter=_one_or_more)
    writable: tuple[str, ...] = attrs.field(default=(), converter=_one_or_more)
    sessions: int = 1
    session_wait: timedelta = attrs.field(default=timedelta(seconds=30), converter=_duration)
    session_age: timedelta = attrs.field(default=timedelta(hours=4), converter=_duration)
    session_idle: timedelta = attrs.field(default=timedelta(minutes=10), converter=_duration)
    call_timeout: timedelta = attrs.field(default=timedelta(minutes=5), converter=_duration)
    page_time: timedelta = attrs.field(default=timedelta(minutes=1), converter=_duration)
    scan_time: timedelta = attrs.field(default=timedelta(minutes=4), converter=_duration)
    logon_pause: timedelta = attrs.field(default=timedelta(minutes=15), converter=_duration)
    cursors: int = 16
    cursor_age: timedelta = attrs.field(default=timedelta(minutes=30), converter=_duration)
    lock_texts: tuple[str, ...] = attrs.field(default=LOCK_TEXTS, converter=_one_or_more)
    maintenance_texts: tuple[str, ...] = attrs.field(default=MAINTENANCE_TEXTS, converter=_one_or_more)
    licence_texts: tuple[str, ...] = attrs.field(default=LICENCE_TEXTS, converter=_one_or_more)
    security_texts: tuple[str, ...] = attrs.field(default=SECURITY_TEXTS, converter=_one_or_more)
    sage100_version: str | None = None
    edition: Literal["Standard", "Advanced", "Premium"] | None = None

    def __attrs_post_init__(self) -> None:
        _require(bool(self.home.strip()), "home must be the folder Home of the Sage 100 installation")
        _require(bool(self.username.strip()), "username must be the Sage 100 user of the agent")
        long_enough = bool(self.tokens) and all(len(token) >= _SHORTEST_TOKEN for token in self.tokens)
        _require(long_enough, f"tokens must have {_SHORTEST_TOKEN} characters or more: make one with `secrets`")
        printable = all(token.isascii() and token.isprintable() and " " not in token for token in self.tokens)
        _require(printable, "tokens must be of printable ASCII characters without blanks")
        for code in self.companies:
            valid = re.fullmatch(r"[A-Z0-9]{3}", code) is not None
            _require(valid, f"companies: {code!r} is no company code: it has three capital letters or digits")
        for name in self.writable:
            _require(re.fullmatch(r"\w+", name) is not None, f"writable: {name!r} is no column name (without $)")
        _require(self.sessions >= 1, "sessions must be 1 or more")
        _require(self.cursors >= 1, "cursors must be 1 or more")
        _require(
            self.edition in {None, "Standard", "Advanced", "Premium"}, "edition must be Standard, Advanced or Premium"
        )
        try:
            ZoneInfo(self.timezone)
        except (KeyError, ValueError, OSError):
            _require(False, f"timezone: {self.timezone!r} is no IANA zone, such as America/Chicago")
        try:
            self.texts()
        except re.error as error:
            _require(False, f"a pattern of texts is no regular expression: {error}")

    @property
    def zone(self) -> ZoneInfo:
        """The zone of the server's clock."""
        return ZoneInfo(self.timezone)

    def texts(self) -> Texts:
        """The patterns, compiled."""
        return Texts(
            locks=self.lock_texts,
            maintenance=self.maintenance_texts,
            licence=self.licence_texts,
            security=self.security_texts,
        )


def _require(holds: bool, message: str) -> None:  # noqa: FBT001
    if not holds:
        raise ConfigurationError(message, system=_SYSTEM)
