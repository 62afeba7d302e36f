"""What is asked of an engine in a process of its own."""

from __future__ import annotations

from typing import Any

import attrs


@attrs.frozen
class Call:
    """What is asked of the engine: the name of its method, and arguments as JSON has them."""

    name: str
    arguments: dict[str, Any] = attrs.field(factory=dict)


RUN, FULL_RUN = Call("run"), Call("run", {"full": True})
