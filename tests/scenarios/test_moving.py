"""Data that move while they are read, for every ERP."""

from __future__ import annotations

import pytest

from tests.scenarios._worlds import World


@pytest.fixture
def world(each_world) -> World:
    """These stories hold for every ERP."""
    return each_world


def test_rows_that_change_while_we_page_are_neither_lost_nor_doubled(world):
    """Customers edited, added and deleted between two pages: the next run ends in what the ERP says."""
    keys = [world.erp.add_customer(f"c{number}@harbor-pumps.com", name=f"No {number}") for number in range(300)]
    pages = []

    def meddle(request) -> None:
        if world.erp.lists_customers(request):
            pages.append(request.raw_path)
            if len(pages) == 2:
                world.erp.remove(keys[0])
                world.erp.remove(keys[1])
                world.erp.rename(keys[250], "Renamed While Paging")
                world.erp.add_customer("late@harbor-pumps.com", key="AAA")

    world.erp.fake.before_each.append(meddle)
    report = world.run(streams=["customers"])
    world.erp.fake.before_each.clear()

    assert report.ok, str(report)
    assert len(pages) > 3
    missing = {f"c{n}@harbor-pumps.com" for n in range(2, 300)} - set(world.mailchimp.members)
    assert missing == set()
    world.run(streams=["customers"])
    assert world.status("late@harbor-pumps.com") == "subscribed"
    assert world.mailchimp.members["c250@harbor-pumps.com"].merge_fields["COMPANY"] == "Renamed While Paging"
