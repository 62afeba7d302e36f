"""The agent that answers for a fake Sage 100 where no other is given: the reference agent over a fake COM object."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime

from ._sage100_com import FakeProvideX
from ._sage100_wsgi import WSGIApplication

__all__ = ["reference_agent"]

_HOME = r"C:\Sage\Sage 100 Advanced\MAS90\Home"


def reference_agent(
    script: FakeProvideX, *, login: tuple[str, str], token: str, writable: Iterable[str], clock: Callable[[], datetime]
) -> WSGIApplication:
    """The agent for the site behind a COM object; it logs on when it is first asked for something."""
    # Imported here, so that whoever tests without the agent does not load it.
    from ...agents.sage100 import AgentSettings, create_app

    settings = AgentSettings(
        home=_HOME,
        username=login[0],
        password=login[1],
        tokens=token,
        timezone=script.site.timezone,
        writable=writable,
        sage100_version="7.30.1.0",
        edition="Advanced",
    )
    return create_app(settings, dispatch=lambda: script.dispatch("ProvideX.Script"), clock=clock)
