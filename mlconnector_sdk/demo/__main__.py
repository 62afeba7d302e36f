"""What `python -m mlconnector_sdk.demo` starts."""

from __future__ import annotations

from . import main

if __name__ == "__main__":
    raise SystemExit(main())
