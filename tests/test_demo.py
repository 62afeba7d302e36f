"""The demo shows what it says, and says so when something is amiss."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mlconnector_sdk.demo import Demo, main
from mlconnector_sdk.demo._command import ERPS

SMALL = ["--customers", "40"]


@pytest.mark.parametrize("source", sorted(ERPS))
def test_the_demo_tells_its_whole_story(tmp_path: Path, capsys: pytest.CaptureFixture[str], source: str) -> None:
    """For every ERP each step is shown and holds, and the state lies where it was asked for."""
    database = tmp_path / "demo.db"

    code = main([*SMALL, "--source", source, "--db", str(database), "--latency", "0.001"])

    shown, complaints = capsys.readouterr()
    assert code == 0, complaints
    assert complaints == ""
    titles = ["Check", "Plan", "First load", "Second run", "Changes in the ERP", "An unsubscribe comes back"]
    titles += ["A record that fails", "Cure and replay", "Look-up and audit"]
    assert [f"{number}. {title}" for number, title in enumerate(titles, 1)] == [
        line for line in shown.splitlines() if line[:1].isdigit() and line[1:3] == ". "
    ]
    assert "as promised: no write call reached Mailchimp" in shown
    assert "as promised: the audit tells the whole story" in shown
    assert database.is_file()
    assert str(database) in shown
    assert max(len(line) for line in shown.splitlines() if str(database) not in line) <= 100


def lose_members(demo: Demo) -> None:
    """Somebody else takes members out while they are being loaded."""

    def lose_one(_: object) -> None:
        if demo.mailchimp.orders:
            demo.mailchimp.members.clear()

    demo.mailchimp.before_each.append(lose_one)


def touch_between_runs(demo: Demo) -> None:
    """Somebody else edits every customer whenever the ERP is asked for invoices."""
    names = itertools.count()

    def edit_all(request: object) -> None:
        if "SalesInvoice" in str(request):
            name = f"Name {next(names)}"
            for key in demo.erp.fake.customers:  # type: ignore[attr-defined]
                demo.erp.rename(key, name)

    demo.erp.fake.before_each.append(edit_all)


@pytest.mark.parametrize(
    ("disturb", "complaint"),
    [
        (lose_members, "NOT AS PROMISED in 3. First load: expected that every customer with a usable address"),
        (touch_between_runs, "NOT AS PROMISED in 4. Second run: expected that no write call reached Mailchimp"),
        (lambda demo: demo.mailchimp.fail(status=500), "NOT AS PROMISED in 1. Check: expected that every check passed"),
        (lambda demo: demo.mailchimp.fail(status=401, nth=20), "ENDED EARLY in "),
    ],
)
def test_what_does_not_hold_is_named(
    disturb: Callable[[Demo], object], complaint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A far side that spoils a step makes the exit code 1, with one line that names step and promise."""
    code = main([*SMALL, "--db", str(tmp_path / "demo.db")], on_start=disturb)

    complaints = capsys.readouterr().err
    assert code == 1
    assert complaints.strip().startswith(complaint)
    assert len(complaints.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        (["--customers", "3"], "--customers must be 20 or more"),
        (["--latency", "-1"], "--latency must not be negative"),
        (["--source", "abacus"], "invalid choice"),
        (["--db", __file__], "name a new file"),
    ],
)
def test_wrong_options_are_refused(wrong: list[str], complaint: str, capsys: pytest.CaptureFixture[str]) -> None:
    """An option that cannot be is refused before anything starts, saying why."""
    with pytest.raises(SystemExit) as caught:
        main(wrong)

    assert caught.value.code == 2
    assert complaint in capsys.readouterr().err


def test_the_command_works_as_printed_in_the_readme(tmp_path: Path) -> None:
    """`python -m mlconnector_sdk.demo` runs by itself, in any folder, and is quiet on standard error."""
    command = [sys.executable, "-W", "error", "-m", "mlconnector_sdk.demo", *SMALL]
    folder = str(Path(__file__).parent.parent)
    environment = {**os.environ, "TMPDIR": str(tmp_path)}

    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder, env=environment)

    assert (0, "") == (done.returncode, done.stderr)
    assert [path.name for path in tmp_path.rglob("*.db")] == ["state.db"]
