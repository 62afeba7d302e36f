"""The comparison with other tools itself: that our part of it still runs, and that its figures are read rightly."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ._modes import Mode
from ._results import Pair, Result, row_of

SCRIPT = Path(__file__).parent / "run.py"


def test_our_part_runs_alone(tmp_path: Path) -> None:
    """Without other tools, every customer arrives in the audience once and the figures are written."""
    figures = tmp_path / "figures.json"
    command = [sys.executable, str(SCRIPT), "--records=300", "--repeat=1", "--modes=load", f"--json={figures}"]

    done = subprocess.run([*command, "--peers"], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    row = json.loads(figures.read_text())["modes"]["load"]["ours"]
    assert (300, 0, 0) == (row["written"], row["repeated"], row["lost"])
    assert row["cpu_us_per_record"] > 0


@pytest.mark.parametrize(
    ("mode", "result", "lost", "repeated"),
    [
        ("load", Result(written=1000, members=1000), 0, 0),
        ("load", Result(written=700, members=700), 300, 0),
        ("killed", Result(written=1500, members=1000), 0, 500),
        ("refused", Result(written=990, members=990, refused=10, kept=10), 0, 0),
        ("refused", Result(written=990, members=990, refused=10), 10, 0),
        ("reread", Result(written=1000, members=1000), 0, 1000),
        ("changed", Result(written=11, members=11), 0, 1),
        ("changed", Result(written=4, members=4), 6, 0),
    ],
)
def test_loss_and_repetition_are_counted(mode: str, result: Result, lost: int, repeated: int) -> None:
    """What had to arrive is told from what was written in vain, in each situation."""
    expected = Mode.named(mode).expected(1000, result.refused)

    assert (lost, repeated) == (result.lost(expected), result.repeated(expected))


def test_ratios_are_those_of_each_pair() -> None:
    """A ratio above one means that the other tool took longer than ours did right before it."""
    pair = Pair(Result(cpu=2.0, wall=4.0), Result(cpu=3.0, wall=2.0))

    assert (1.5, 0.5) == (pair.cpu_ratio, pair.wall_ratio)


def test_worst_loss_is_shown() -> None:
    """Times are medians, but one repetition that lost records is enough to be told."""
    results = [Result(cpu=cpu, wall=1.0, written=10, members=10 - lost) for cpu, lost in ((1.0, 0), (9.0, 2), (2.0, 0))]

    row = row_of(results, records=10, expected=10)

    assert (200_000, 2) == (row["cpu_us_per_record"], row["lost"])
