"""A whole pipeline's life, every exchange on both ends held against the vendors' contracts."""

from __future__ import annotations

import pytest

from mlconnector_sdk import Mapping, MemberMapping, SyncPolicy
from tests.contracts import _acumatica_oracle, _mailchimp_oracle
from tests.scenarios._worlds import World

pytestmark = pytest.mark.skipif(
    _mailchimp_oracle.specs_folder() is None, reason="MLCONNECTOR_SPECS names no folder with the vendors' contracts"
)

MAPPING = Mapping(members=MemberMapping(tags=["ERP", "class:{raw[CustomerClass]}"]))


def check_logs(world: World) -> None:
    """Hold both request logs against the contracts."""
    for entry in world.mailchimp.log:
        _mailchimp_oracle.check_exchange(
            entry.method, entry.request.raw_path, entry.request.body, entry.status, entry.response_body
        )
    for entry in world.erp.fake.log:
        _acumatica_oracle.check_exchange(
            entry.method,
            entry.request.raw_path,
            entry.request.body,
            entry.status,
            entry.response_body,
            world.erp.fake.version,
        )
    assert len(world.mailchimp.log) > 20
    assert len(world.erp.fake.log) > 10


@pytest.mark.parametrize("version", ["20.200.001", "22.200.001", "23.200.001", "24.200.001"])
def test_a_pipelines_life_keeps_both_contracts(version):
    """First load of messy data, polls, moves, leavers, opt-outs, refunds, failures and replay use nothing unknown."""
    data = {"customers": 120, "contacts": 40, "vendors": 10, "invoices": 60}
    with World(version=version, **data) as world:
        world.mailchimp.keep_bodies = world.erp.fake.keep_bodies = True
        settings = {"mapping": MAPPING, "policy": SyncPolicy(inactive="archive", credit_memos="refund")}
        world.engine(**settings).check()
        keys = [world.erp.add_customer(f"k{number}@harbor-pumps.com") for number in range(6)]
        order = world.erp.add_order(keys[0], [("A/1", "Anchor", 1, 10), ("B", "Buoy", 2, 20)])
        world.mailchimp.poison("k5@harbor-pumps.com", "schema")
        world.run(**settings)
        world.erp.set_email(keys[0], "moved@harbor-pumps.com")
        world.erp.rename(keys[1], "Renamed")
        world.erp.deactivate(keys[2])
        world.mailchimp.unsubscribe("k3@harbor-pumps.com")
        world.erp.drop_line(order)
        world.mailchimp.cure("k5@harbor-pumps.com")
        world.run(**settings)
        world.engine(**settings).replay()
        report = world.run(full=True, **settings)

        assert not [stream.error for stream in report.streams.values() if stream.error]
        check_logs(world)
