"""Wrong credentials are tried once: several of these systems lock an account after a few failures."""

from __future__ import annotations

import pytest

from mlconnector_sdk.errors import AuthenticationError
from tests.scenarios._worlds import ENDS, World


@pytest.mark.parametrize("system", ENDS)
def test_wrong_credentials_are_never_tried_again(system):
    """One refused sign-in per source, on every way into every ERP: not per stream, per try or per run.

    A token that we sign ourselves is signed anew once, because a clock may be what was wrong with it; it locks nothing.
    """
    with World(system) as world, world.engine(source=world.erp.source(password="wrong")) as engine:
        for _ in range(2):
            with pytest.raises(AuthenticationError):
                engine.run()
        refused = [call for call in world.erp.fake.log if call.status >= 400 or call.path.endswith("/Logon")]

    assert (2 if "graphql" in system else 1) == len(refused)


def test_a_wrong_key_of_mailchimp_is_tried_once_a_run(world):
    """A refused key ends the run at its first request."""
    with world.engine(sink=world.sink(key="f" * 32 + "-us6")) as engine, pytest.raises(AuthenticationError):
        engine.run()

    assert [401] == [call.status for call in world.mailchimp.log]
