"""The crash proof itself: that its judge sees what is lost, and that its quick parts hold on every change."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.chaos import _leases as leases, _machine as machine, run
from tests.chaos._lab import Lab
from tests.chaos._processes import Nursery
from tests.chaos._story import opening

SYSTEM = "acumatica"


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    """Where processes come from."""
    with Nursery(5) as nursery:
        yield nursery


@pytest.fixture
def lab(nursery: Nursery, tmp_path: Path) -> Lab:
    """A place for proofs, with SQLite states."""
    return Lab(nursery, tmp_path)


def test_the_judge_sees_what_a_bad_store_loses(lab: Lab) -> None:
    """A store that keeps marks without what they stand for is convicted."""
    with lab.pair(SYSTEM) as (ours, theirs):
        ours.conditions["store"] = "forgetful"
        for ordeal in (ours, theirs):
            ordeal.open_chapter()
            opening(ordeal.world, ordeal.cast)
            ordeal.undisturbed()

        lab.judge("forgetful", ours, theirs)

    assert lab.tally.lost > 0


def test_the_judge_sees_what_was_done_twice(lab: Lab) -> None:
    """A record set aside once more is convicted."""
    with lab.pair(SYSTEM) as (ours, theirs):
        for ordeal in (ours, theirs):
            ordeal.open_chapter()
            opening(ordeal.world, ordeal.cast)
            ordeal.undisturbed()
        ours.open_chapter()
        ours.world.erp.add_customer("once more@", name="Broken")
        ours.undisturbed()

        lab.judge("twice", ours, theirs)

    assert lab.tally.doubled > 0


@pytest.mark.parametrize("place", [(3, "before"), (3, "inside"), (3, "after")])
def test_a_killed_run_is_made_up_for(lab: Lab, place: tuple[int, str]) -> None:
    """A run that dies around a commit leaves nothing that the next one does not put right."""
    with lab.pair(SYSTEM) as (ours, theirs):
        for ordeal in (ours, theirs):
            ordeal.open_chapter()
            opening(ordeal.world, ordeal.cast)
        died = not ours.run(until=place)
        ours.undisturbed()
        theirs.undisturbed()

        lab.judge("killed", ours, theirs)

    assert died
    assert lab.findings == []


@pytest.mark.parametrize("proof", [leases.two_at_once, leases.asleep_too_long, machine.disk_full, machine.read_only])
def test_quick_proofs_hold(lab: Lab, proof: Callable[[Lab, str], None]) -> None:
    """Two at once, one asleep too long, a full disk, no right to write: told clearly, nothing lost, nothing doubled."""
    proof(lab, SYSTEM)

    assert lab.findings == []


def _found_wanting(lab: Lab, _system: str) -> None:
    lab.require(False, "it does not hold")


def _breaks_off(_lab: Lab, _system: str) -> None:
    raise AssertionError("there is no commit 7")


@pytest.mark.parametrize("carry_out", [_found_wanting, _breaks_off])
def test_one_proof_that_does_not_hold_fails_all(carry_out: Callable[[Lab, str], None]) -> None:
    """What is found, and a proof that cannot be carried out, make the whole fail, and the proofs after it go on."""
    reached: list[str] = []
    wanted = [
        run.Wanted("broken", SYSTEM, carry_out),
        run.Wanted("next", SYSTEM, lambda _lab, system: reached.append(system)),
    ]

    tally = run.carry_out("SQLite", iter(wanted))

    assert (True, [SYSTEM]) == (tally.failed, reached)
