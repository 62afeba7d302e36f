"""A PostgreSQL server of one's own, on loopback and with throw-away data: to be killed, stopped and started again."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from sqlalchemy import NullPool, create_engine, text
from sqlalchemy.exc import OperationalError

_ACCOUNT = "postgres"
_PATIENCE = 30.0


def find_programs() -> Path | None:
    """The folder of the newest server's programs, where Debian keeps them or on the path; `None` without a server."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    on_path = shutil.which("initdb")
    found = debian[-1] if debian else Path(on_path) if on_path else None
    return found.resolve().parent if found is not None and _account() is not None else None


def _account() -> str | None:
    """Who may run a server, which refuses to be run by root: root needs the account that the package makes."""
    if os.geteuid() != 0:
        return pwd.getpwuid(os.geteuid()).pw_name
    try:
        return pwd.getpwnam(_ACCOUNT).pw_name
    except KeyError:
        return None


class PostgresServer:
    """A server that runs while it is entered, and as long as nobody stops it."""

    def __init__(self, programs: Path) -> None:
        self._programs = programs
        self._folder = Path(tempfile.mkdtemp(prefix="chaos-postgres-"))
        self._data = self._folder / "data"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self.url = f"postgresql+psycopg://mlconnector@127.0.0.1:{self._port}/postgres"

    def __enter__(self) -> Self:
        if os.geteuid() == 0:
            shutil.chown(self._folder, _ACCOUNT)
        self._run("initdb", "-U", "mlconnector", "-A", "trust", "-E", "UTF8", "--no-sync")
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if (self._data / "postmaster.pid").exists():
            self.stop()
        shutil.rmtree(self._folder)

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._programs / program), "-D", str(self._data), *arguments]
        user = _account() if os.geteuid() == 0 else None
        group = pwd.getpwnam(user).pw_gid if user else None
        # A server that has started keeps what it inherited: a file takes what it says, so that nobody waits for it.
        with (self._folder / "log").open("a+") as log:
            done = subprocess.run(
                command, user=user, group=group, extra_groups=[] if user else None, cwd=self._folder,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=False,
            )  # fmt: skip
            if done.returncode != 0:
                log.seek(0)
                raise RuntimeError(f"{program} failed: {log.read()[-2000:]}")

    def start(self) -> None:
        """Start, and recover what an earlier end has left."""
        options = f"-c listen_addresses=127.0.0.1 -p {self._port} -k {self._folder} -c fsync=off"
        self._run("pg_ctl", "-w", "-s", "start", "-o", options)

    def stop(self) -> None:
        """Stop without a chance to clean up: every connection breaks, transactions under way are lost."""
        self._run("pg_ctl", "-w", "-s", "-m", "immediate", "stop")

    def kill_backends(self) -> None:
        """SIGKILL to the processes that serve clients, upon which the server ends all others and recovers."""
        engine = create_engine(self.url, poolclass=NullPool)
        with engine.connect() as connection:
            query = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
            pids = connection.scalars(text(query)).all()
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        until = time.monotonic() + _PATIENCE
        while True:
            # The server must have noticed before it can be said to be back.
            time.sleep(0.05)
            try:
                with engine.connect() as connection:
                    served = connection.scalars(text("SELECT pid FROM pg_stat_activity")).all()
                if not {*served} & {*pids}:
                    return
            except OperationalError:
                pass
            if time.monotonic() > until:
                raise RuntimeError("the server did not come back after its backends were killed")
