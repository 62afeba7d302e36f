"""The file of a vault: whole at every moment, for its owner alone, written by one at a time."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import threading

import pytest

from mlconnector_sdk.credentials import EncryptedVault, KeyRing, _file
from mlconnector_sdk.credentials._file import VaultFile
from mlconnector_sdk.errors import VaultError
from mlconnector_sdk.testing import SealedStoreContract

KEY = KeyRing.generate()


class TestVaultFile(SealedStoreContract):
    durable = True

    def make_store(self, tmp_path):
        return VaultFile(tmp_path / "acme.vault")


@pytest.fixture(name="path")
def _path(tmp_path):
    return tmp_path / "acme.vault"


@pytest.fixture(name="vault")
def _vault(path):
    vault = EncryptedVault(path, key=KEY)
    vault.put("first", "secret one")
    return vault


SETUP = """
import os, sys
from mlconnector_sdk.credentials import EncryptedVault, KeyRing, _file
vault = EncryptedVault(sys.argv[1], key=KeyRing.from_environment())
"""


def run(code, *arguments):
    """Run Python in a process of its own, with the key in its environment."""
    return subprocess.Popen(
        [sys.executable, "-c", SETUP + code, *map(str, arguments)],
        env={**os.environ, "MLCONNECTOR_KEY": KEY},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def names_in(folder):
    """The names of the files in a folder, in order."""
    return sorted(found.name for found in folder.iterdir())


def test_only_its_owner_may_read_it(vault, path):
    """File and lock are made for the owner alone, whatever the process usually allows."""
    before = os.umask(0)
    try:
        vault.put("second", "secret two")
    finally:
        os.umask(before)

    assert [0o600, 0o600] == [stat.S_IMODE(found.stat().st_mode) for found in sorted(path.parent.iterdir())]
    assert ["acme.vault", "acme.vault.lock"] == names_in(path.parent)


def test_names_can_be_read_and_secrets_cannot(vault, path):
    """The file is JSON that tells the names and nothing else."""
    document = json.loads(path.read_text())

    assert ["first"] == list(document["entries"])
    assert "secret one" not in path.read_text()


def test_a_new_file_appears_with_the_first_secret(path):
    """Until something is put there is no file, and nothing in it; looking changes nothing."""
    vault = EncryptedVault(path, key=KEY)

    assert () == vault.names()
    with pytest.raises(VaultError, match=r"there is no secret 'first' in /.*acme\.vault: put it there"):
        vault.get("first")
    vault.delete("first")
    assert [] == names_in(path.parent)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o777])
def test_a_file_that_is_open_to_others_is_refused(vault, path, mode):
    """Nothing is read from, or added to, a file that others can read or write, and the message says how to mend it."""
    path.chmod(mode)
    before = path.read_bytes()

    for use in (
        lambda: vault.get("first"),
        vault.names,
        lambda: vault.put("second", "x"),
        lambda: vault.delete("first"),
    ):
        with pytest.raises(VaultError, match=rf"is open to others \(mode {mode:04o}\): run chmod 600") as caught:
            use()
        assert "vault_file" == caught.value.reason
    assert before == path.read_bytes()


def test_a_directory_is_refused(tmp_path):
    """A directory is told as one, in reading and in writing."""
    vault = EncryptedVault(tmp_path, key=KEY)

    for use in (vault.names, lambda: vault.put("first", "x")):
        with pytest.raises(VaultError, match="is a directory: name a file"):
            use()


def test_a_missing_directory_is_told(tmp_path):
    """A vault is not put into a directory that is not there."""
    with pytest.raises(VaultError, match="lies in a directory that does not exist: create it"):
        EncryptedVault(tmp_path / "none" / "acme.vault", key=KEY).put("first", "x")


def test_a_place_that_is_none_is_told(tmp_path):
    """A path through a file is neither read nor written."""
    (tmp_path / "file").write_text("x")
    vault = EncryptedVault(tmp_path / "file" / "acme.vault", key=KEY)

    with pytest.raises(VaultError, match=r"cannot be read \(Not a directory\): check its rights"):
        vault.names()
    with pytest.raises(VaultError, match=r"cannot be read|cannot be locked \(Not a directory\): check its directory"):
        vault.put("first", "x")
    with pytest.raises(VaultError, match=r"cannot be locked \(Not a directory\): check its directory's rights"):
        VaultFile(vault._entries.path).exchange_sealed("first", None, "1.x")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"7",
        b"\xff",
        b"[" * 100_000,
        b'{"vault": 1}',
        b'{"vault": "1", "entries": {}}',
        b'{"vault": 1, "entries": []}',
        b'{"vault": 1, "entries": {"first": 1}}',
    ],
)
def test_a_damaged_file_is_left_alone(vault, path, content):
    """What is no vault is told as such, and never written over."""
    path.write_bytes(content)

    for use in (vault.names, lambda: vault.put("second", "x")):
        with pytest.raises(VaultError, match="is no vault, or a damaged one: name another file, or restore a backup"):
            use()
    assert content == path.read_bytes()


def test_a_file_of_the_future_is_left_alone(vault, path):
    """A newer version's file asks for that version."""
    path.write_text('{"vault": 2, "entries": {}}')

    with pytest.raises(VaultError, match="newer version of mlconnector_sdk: install that one"):
        vault.put("second", "x")


def test_a_link_stays_a_link(vault, path, tmp_path):
    """Written through a symbolic link, the file it leads to is replaced; both ways lead to one vault."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    link = elsewhere / "link.vault"
    link.symlink_to(path)
    EncryptedVault(link, key=KEY).put("second", "secret two")

    assert link.is_symlink()
    assert ("first", "second") == vault.names()
    assert ["link.vault"] == names_in(elsewhere)


def test_the_owner_stays_the_owner(vault, path):
    """An administrator who writes does not take the file away from whom it belongs to."""
    if os.geteuid() == 0:
        for found in path.parent.iterdir():
            found.unlink()
        EncryptedVault(path, key=KEY).put("first", "secret one")
        os.chown(path, 4321, 4321)
    before = path.stat()
    EncryptedVault(path, key=KEY).put("second", "secret two")

    after, lock = path.stat(), path.with_name("acme.vault.lock").stat()
    assert (before.st_uid, before.st_gid) == (after.st_uid, after.st_gid) == (lock.st_uid, lock.st_gid)
    assert before.st_ino != after.st_ino


@pytest.mark.parametrize("moment", ["os.fsync", "pathlib.Path.replace"])
def test_a_crash_while_writing_leaves_the_old_vault(vault, path, moment):
    """Killed before the new content took the old one's place, a writer leaves all as it was, and no lock."""
    died = run(f"import pathlib\n{moment} = lambda *_: os._exit(9)\nvault.put('second', 'x')", path)

    assert (9, "", "") == (died.wait(), *died.communicate())
    assert path.with_name("acme.vault.new").exists()
    assert ("first",) == vault.names()
    assert "secret one" == vault.get("first")
    vault.put("third", "secret three")
    assert ("first", "third") == vault.names()
    assert not path.with_name("acme.vault.new").exists()


def test_a_full_disk_leaves_the_old_vault(vault, path, monkeypatch):
    """When the disk refuses, that is told, the old content stands, and nothing is left lying about."""

    def refuse(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(VaultError, match=r"cannot be written \(No space left on device\): check disk"):
        vault.put("second", "x")
    monkeypatch.undo()

    assert ("first",) == vault.names()
    assert not path.with_name("acme.vault.new").exists()


def test_a_disk_without_locks_is_told(vault, monkeypatch):
    """Where a file cannot be locked nothing is written, and no handle is left open."""

    def refuse(handle):
        held.append(handle)
        raise OSError(37, "No locks available")

    held = []
    monkeypatch.setattr(_file, "lock", refuse)
    with pytest.raises(VaultError, match=r"cannot be locked \(No locks available\)"):
        vault.put("second", "x")
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(held[0])

    assert ("first",) == vault.names()


def test_what_lies_in_the_way_is_not_written_to(vault, path, tmp_path):
    """A link somebody laid where the new content is written first is removed, not followed."""
    victim = tmp_path / "victim"
    victim.write_text("mine")
    path.with_name("acme.vault.new").symlink_to(victim)
    vault.put("second", "secret two")

    assert "mine" == victim.read_text()
    assert not path.is_symlink()
    assert "secret two" == vault.get("second")


def test_processes_that_write_at_once_lose_nothing(vault, path):
    """Of several processes, each with secrets of its own and one that all of them write, nothing is lost or torn."""
    code = """
for number in range(15):
    vault.put(f"{sys.argv[2]} {number}", f"secret {sys.argv[2]} {number}")
    vault.put("shared", f"from {sys.argv[2]}")
    assert vault.get("shared").startswith("from ")
"""
    workers = [run(code, path, name) for name in ("a", "b", "c")]

    assert [("", ""), ("", ""), ("", "")] == [worker.communicate() for worker in workers]
    expected = {f"{name} {number}": f"secret {name} {number}" for name in "abc" for number in range(15)}
    assert expected == {name: vault.get(name) for name in expected}
    assert 2 + len(expected) == len(vault.names())


def test_readers_see_whole_contents(vault, path):
    """While others write, each reading gives a whole vault."""
    stop = threading.Event()
    failures = []

    def read():
        while not stop.is_set():
            try:
                assert "secret one" == vault.get("first")
            except Exception as error:
                failures.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(40):
        vault.put("second", "x" * number * 50)
    stop.set()
    reader.join()

    assert [] == failures


def test_a_lock_ends_though_a_child_inherited_it(vault, path):
    """A process that was forked while somebody wrote does not keep others from writing."""
    code = """
write = _file.VaultFile._write
def forking(*arguments):
    if os.fork() == 0:
        sys.stdin.read()
        os._exit(0)
    write(*arguments)

_file.VaultFile._write = forking
vault.put("second", "x")
_file.VaultFile._write = write
vault.put("third", "y")
print(*vault.names(), flush=True)
"""
    with run(code, path) as parent:
        assert "first second third\n" == parent.stdout.readline()
        parent.stdin.close()
