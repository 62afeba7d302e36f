"""The tools under comparison: how each is started, what it needs, and what it promises when set up that way."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

import attrs

__all__ = ["OURS", "PEERS", "Peer", "python_of"]

HERE = Path(__file__).parent
_CLIENT = "mailchimp-marketing==3.0.80"


@attrs.frozen(kw_only=True)
class Peer:
    """One tool in one setting.

    Attributes:
        environment: which virtual environment it lives in; empty for the one that runs the comparison.
        state: what is durable, and when.
        unchanged: what it does with a record that it reads again and that did not change.
        refused: what it does with a record that Mailchimp refuses.
    """

    name: str
    title: str
    script: str
    arguments: tuple[str, ...] = ()
    environment: str = ""
    requirements: tuple[str, ...] = ()
    state: str
    unchanged: str
    refused: str

    def command(self, python: str) -> list[str]:
        """Without the job, which comes last."""
        return [python, str(HERE / self.script), *self.arguments]


OURS = Peer(
    name="ours",
    title="mlconnector_sdk",
    script="peer_ours.py",
    state="each batch, fsync",
    unchanged="skipped",
    refused="kept",
)

PEERS = (
    Peer(
        name="dlt",
        title="dlt 1.31.0",
        script="peer_dlt.py",
        environment="dlt",
        requirements=("dlt==1.31.0", _CLIENT),
        state="package and cursor",
        unchanged="sent",
        refused="logged",
    ),
    Peer(
        name="singer",
        title="singer-sdk 0.54.9",
        script="peer_singer.py",
        arguments=("run",),
        environment="singer",
        requirements=("singer-sdk[msgspec]==0.54.9", _CLIENT),
        state="cursor at the end",
        unchanged="sent",
        refused="logged",
    ),
    Peer(
        name="drt",
        title="drt-core 1.2.1",
        script="peer_drt.py",
        arguments=("plain",),
        environment="drt",
        requirements=("drt-core==1.2.1",),
        state="cursor at the end",
        unchanged="sent",
        refused="kept",
    ),
    Peer(
        name="drt-ledger",
        title="drt-core, ledger on",
        script="peer_drt.py",
        arguments=("ledger",),
        environment="drt",
        requirements=("drt-core==1.2.1",),
        state="cursor, ledger a batch",
        unchanged="skipped by stamp",
        refused="kept",
    ),
    Peer(
        name="script",
        title="plain script",
        script="peer_script.py",
        environment="script",
        requirements=("requests==2.34.2", _CLIENT),
        state="cursor at the end, fsync",
        unchanged="sent",
        refused="logged",
    ),
)


def python_of(peer: Peer, environments: Path) -> str:
    """The interpreter of the peer's environment, which is made when it is missing.

    Raises:
        subprocess.CalledProcessError: pip could not install it.
    """
    if not peer.environment:
        return sys.executable
    folder = environments / peer.environment
    python = folder / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    done = folder / "requirements.txt"
    wanted = "\n".join(peer.requirements)
    if not done.exists() or done.read_text(encoding="utf-8") != wanted:
        print(f"installing {', '.join(peer.requirements)}", flush=True)
        venv.create(folder, clear=True, with_pip=True)
        quiet = ["-qq", "--disable-pip-version-check"]
        subprocess.run([str(python), "-m", "pip", "install", *quiet, *peer.requirements], check=True)
        done.write_text(wanted, encoding="utf-8")
    return str(python)
