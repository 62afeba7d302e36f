"""Processes to be killed, from the outside: started, listened to, stopped in their tracks, and never left behind."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

HERE = Path(__file__).parent
News = dict[str, Any]
"""What a process tells, as JSON has it: at a commit it waits for an answer, at its end it says how that was."""

PATIENCE = 60.0
"""Seconds after which a silent process is taken to hang."""


class Worker:
    """One run in a process of its own."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._socket.settimeout(PATIENCE)
        self._file = connection.makefile("rw", encoding="utf-8")
        self.ended = False
        self.pid: int = json.loads(self._file.readline())["pid"]

    def news(self) -> Iterator[News]:
        """What it tells, until it ends or is killed."""
        # A killed process that had not read its last answer resets the connection instead of closing it.
        with suppress(ConnectionResetError):
            while line := self._file.readline():
                if not line.endswith("\n"):
                    return
                yield json.loads(line)

    def next(self) -> News:
        """The next thing that it tells; empty when it ended."""
        return next(self.news(), {})

    def go(self, **more: Any) -> None:
        """Let it go on from where it asked."""
        with suppress(BrokenPipeError, ConnectionResetError):
            self._file.write(json.dumps(more) + "\n")
            self._file.flush()

    def reach(self, place: tuple[int, str]) -> None:
        """Let it go on until it stands at a place of its nth commit."""
        for news in self.news():
            if news.get("at") == [*place]:
                return
            assert "ended" not in news, f"there is no commit {place}: {news}"
            self.go()
        raise AssertionError(f"died before commit {place}")

    def finish(self) -> News:
        """Let it go on whenever it asks; how it ended, or nothing when it was killed."""
        for news in self.news():
            if "ended" in news:
                self.ended = True
                return news
            self.go()
        return {}

    def signal(self, number: int) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it without a chance to clean up."""
        self.signal(signal.SIGKILL)

    def close(self) -> None:
        if not self.ended:
            self.kill()
        with suppress(OSError):
            self._file.close()
        self._socket.close()


class Nursery:
    """Starts workers; all of them are gone when it is left."""

    def __init__(self, batch_size: int) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(PATIENCE)
        self._batch_size = batch_size
        self._process: subprocess.Popen[str] | None = None
        self._workers: list[Worker] = []

    def __enter__(self) -> Self:
        root = str(HERE.parents[1])
        path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH", "")]))
        port = self._listener.getsockname()[1]
        self._process = subprocess.Popen(
            [sys.executable, str(HERE / "_worker.py"), str(port), str(self._batch_size)],
            stdin=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": path},
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in self._workers:
            worker.close()
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._listener.close()

    def begin(self, job: dict[str, Any]) -> Worker:
        """A process at work on this job; it waits at the door, having said who it is."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        connection, _ = self._listener.accept()
        worker = Worker(connection)
        self._workers.append(worker)
        return worker

    def end(self, worker: Worker) -> None:
        """Forget a worker that ended."""
        self._workers.remove(worker)
        worker.close()
