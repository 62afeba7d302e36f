"""The exception tree."""

from __future__ import annotations

import pickle

import pytest

from mlconnector_sdk import errors
from mlconnector_sdk.errors import MLConnectorError, RateLimitError, RecordRejectedError, TransientError

ALL = [kind for name in errors.__all__ if not issubclass(kind := getattr(errors, name), Warning)]


@pytest.mark.parametrize("kind", ALL)
def test_every_error_survives_pickling_with_all_it_knows(kind):
    """Errors cross process borders whole."""
    more = {"retry_after": 7.5} if issubclass(kind, TransientError) else {}
    error = kind("what happened", system="mailchimp", operation="PUT member", status_code=418, record_key="C1", **more)

    again = pickle.loads(pickle.dumps(error))

    assert type(again) is kind
    assert again.__dict__ == error.__dict__
    assert str(again) == str(error)


def test_an_error_says_where_it_comes_from():
    """The text names system, operation, status, request and record."""
    error = RateLimitError("too many", system="mailchimp", operation="POST members", status_code=429, request_id="ab-1")

    assert str(error.about("C7")) == "mailchimp POST members: too many (HTTP 429, request ab-1, record C7)"
    assert str(MLConnectorError("plain")) == "plain"


def test_every_error_has_a_stable_reason():
    """Errors group by a short code of their class unless a finer one is given."""
    assert RecordRejectedError("x").reason == "rejected"
    assert RecordRejectedError("x", reason="address_refused").reason == "address_refused"
    assert all(kind.default_reason for kind in ALL)


def test_the_drawn_tree_is_the_tree():
    """The module's drawing names every class under its true parent."""
    drawing = [line for line in (errors.__doc__ or "").splitlines() if line.strip().startswith(("MLC", "├", "└", "│"))]
    path: list[str] = []
    for line in drawing:
        name = line.strip("│├└─ ").split()[0]
        depth = (len(line) - len(line.lstrip(" │├└─"))) // 4 - 1
        path[max(depth, 0) :] = [name]
        parent = path[-2] if len(path) > 1 else "Exception"
        assert parent in {base.__name__ for base in getattr(errors, name).__mro__}, line
    assert {line.strip("│├└─ ").split()[0] for line in drawing} == {kind.__name__ for kind in ALL}
