"""Starts the far sides and the peers, moves the dials, and measures from the outside.

Processor time is what the operating system charged for the peer's first process and every one it waited for, less what
each noted as the price of starting: imports are told apart. Wall time runs from the end of the first start to the exit.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from _modes import Mode
from _peers import OURS, Peer, python_of
from _results import Result

__all__ = ["Harness"]

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
HOUR = 3600.0
MOST_RUNS = 3
PATIENCE = 600.0


class FarSides:
    """The process of both."""

    def __init__(self, records: int) -> None:
        command = [sys.executable, str(HERE / "_server.py"), f"--records={records}"]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=_environment()
        )
        assert self._process.stdout is not None
        port = self._process.stdout.readline().strip()
        if not port:
            raise SystemExit("the process of the far sides ended: see its message above")
        self._url = f"http://127.0.0.1:{port}/control"
        # Nothing of the machine's settings sends loopback through a proxy.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def tell(self, command: str, **options: Any) -> Any:
        """Give a command, and return its answer."""
        request = urllib.request.Request(f"{self._url}/{command}", json.dumps(options).encode(), method="POST")
        with self._opener.open(request, timeout=PATIENCE) as answer:
            return json.loads(answer.read())

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class Harness:
    """One comparison: far sides, a folder for all states, and the peers' interpreters."""

    def __init__(self, records: int, *, folder: Path, environments: Path, seed: int = 1) -> None:
        self.records = records
        self._folder = folder
        self._environments = environments
        self._random = random.Random(seed)
        self._later = 0.0
        self._far_sides = FarSides(records)
        self._pythons: dict[str, str] = {}
        self.bytes_per_record: float = self._far_sides.tell("about")["bytes_per_record"]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._far_sides.close()

    def install(self, peer: Peer) -> None:
        """Make its environment; raises `subprocess.CalledProcessError` when that cannot be done."""
        self._pythons[peer.name] = python_of(peer, self._environments)

    def prepare(self, peer: Peer) -> Result:
        """A first load, the run after it, and a copy of the state and the audience that they left.

        Mailchimp tells a run what changed since the last one began. The run after a load therefore reads back what that
        wrote, where a tool asks for it; the figures returned are those of that run.
        """
        load, echo = Mode.named("load"), Mode.named("again")
        self._start_afresh(peer)
        first = self._measured(peer, load)
        self._sleep()
        second = self._measured(peer, echo)
        self._sleep()
        if first.failed or second.failed:
            raise SystemExit(f"{peer.title} did not get through a plain load: see its message above")
        self._far_sides.tell("audience", peer=peer.name, become="save")
        saved = self._state_of(peer).with_name("saved")
        shutil.rmtree(saved, ignore_errors=True)
        shutil.copytree(self._state_of(peer), saved)
        return second

    def run(self, peer: Peer, mode: Mode) -> Result:
        """The peer in this mode, from where the mode begins."""
        if mode.after_load:
            state = self._state_of(peer)
            shutil.rmtree(state, ignore_errors=True)
            shutil.copytree(state.with_name("saved"), state)
            self._far_sides.tell("audience", peer=peer.name, become="restore")
        else:
            self._start_afresh(peer)
        return self._measured(peer, mode)

    def _state_of(self, peer: Peer) -> Path:
        return self._folder / peer.name / "state"

    def _start_afresh(self, peer: Peer) -> None:
        state = self._state_of(peer)
        shutil.rmtree(state, ignore_errors=True)
        state.mkdir(parents=True)
        self._far_sides.tell("audience", peer=peer.name, become="empty")

    def _sleep(self, seconds: float = HOUR) -> None:
        self._later += seconds
        self._far_sides.tell("later", seconds=seconds)

    def _measured(self, peer: Peer, mode: Mode) -> Result:
        result = Result()
        self._far_sides.tell(
            "begin",
            peer=peer.name,
            edition=mode.edition,
            choosy=mode.choosy,
            limited_at=mode.limited_at(self.records),
            latency=mode.latency,
        )
        stop = self._random_moment(peer) if mode.killed else None
        while True:
            code = self._one_run(peer, mode, result, stop)
            result.runs += 1
            result.failed = code != 0
            if code == 0 or result.runs == MOST_RUNS:
                break
            # A scheduler comes again some minutes later, when a dead run's lease is over.
            self._sleep(300)
            stop = None
        counts = self._far_sides.tell("counts", peer=peer.name)
        for name in ("calls", "listed", "written", "members", "refused"):
            setattr(result, name, counts[name])
        return result

    def _random_moment(self, peer: Peer) -> Callable[[], None]:
        """What returns when a random share of the members has arrived, and a moment after."""
        taken = max(1, int(self.records * self._random.uniform(0.1, 0.9)))
        pause = self._random.uniform(0.0, 0.05)

        def moment() -> None:
            self._far_sides.tell("wait", peer=peer.name, members=taken)
            time.sleep(pause)

        return moment

    def _one_run(self, peer: Peer, mode: Mode, result: Result, stop: Callable[[], None] | None) -> int:
        """Start it, add what it cost, and return how it ended."""
        notes = self._folder / "notes.jsonl"
        notes.unlink(missing_ok=True)
        job = json.dumps(
            {
                **self._far_sides.tell("where", peer=peer.name),
                "state": str(self._state_of(peer)),
                "read": mode.read,
                "later": self._later,
                "notes": str(notes),
            }
        )
        said = self._folder / f"{peer.name}.log"
        with said.open("wb") as log:
            process = subprocess.Popen(
                [*peer.command(self._pythons[peer.name]), job],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=_environment(peer),
                start_new_session=True,
            )
            if stop is not None:
                threading.Thread(target=_kill_after, args=(stop, process.pid), daemon=True).start()
            try:
                _, status, used = os.wait4(process.pid, 0)
            except BaseException:
                # Whoever interrupts the comparison ends what it started, too.
                os.killpg(process.pid, signal.SIGKILL)
                raise
        ended, code = time.time(), os.waitstatus_to_exitcode(status)
        process.returncode = code
        told = [json.loads(line) for line in notes.read_text("utf-8").splitlines()] if notes.exists() else []
        starts = [line for line in told if "startup_cpu" in line]
        startup = sum(line["startup_cpu"] for line in starts)
        # What a killed process had spent is not told of its children, and is not the point.
        if code >= 0:
            result.cpu += used.ru_utime + used.ru_stime - startup
            result.startup_cpu += startup
            result.wall += ended - min((line["at"] for line in starts), default=ended)
        result.peak_mib = max(result.peak_mib, sum(line.get("peak_mib", 0.0) for line in told))
        result.kept = max((line["kept"] for line in told if "kept" in line), default=result.kept)
        if code > 0 and not mode.spoiled:
            print(said.read_text("utf-8", errors="replace")[-3000:], file=sys.stderr)
        return code


def _kill_after(stop: Callable[[], None], group: int) -> None:
    """End every process of the peer at once, without a chance to clean up."""
    # The far sides may be gone, or the peer may have ended: then there is nobody to kill.
    with suppress(OSError):
        stop()
        os.killpg(group, signal.SIGKILL)


def _environment(peer: Peer = OURS) -> dict[str, str]:
    """Nothing of ours leads into a peer's environment; what is measured of ours is this checkout."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    kept |= {"PYTHONDONTWRITEBYTECODE": "1", "NO_PROXY": "127.0.0.1"}
    if not peer.environment:
        kept["PYTHONPATH"] = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    return kept
