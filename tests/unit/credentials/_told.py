"""What an error gives away, to whoever looks."""

from __future__ import annotations

import pickle


def everything_told(error):
    """All that can be read from an error, from what it was raised in the place of, and from its pickled copy."""
    told = []
    while error is not None:
        told += [str(error), repr(error), repr(error.args), repr(vars(error)), repr(pickle.dumps(error))]
        told += [repr(getattr(error, name, "")) for name in ("doc", "object")]
        error = error.__cause__ or error.__context__
    return "".join(told)
