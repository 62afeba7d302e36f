"""Every check of the project. `nox` alone runs what each change must pass; CI and `.ci/run` call the same sessions."""

from __future__ import annotations

import os
import shutil
import tarfile
import zipfile
from pathlib import Path

import nox

nox.needs_version = ">=2024.4.15"
# virtualenv comes with nox, so that `python -m pip install nox` is all the preparation there is.
nox.options.default_venv_backend = "virtualenv"
nox.options.sessions = ["lint", "typing", "tests"]
nox.options.error_on_external_run = True

PYPROJECT = nox.project.load_toml("pyproject.toml")
DATABASES = ("MLCONNECTOR_POSTGRES_URL", "MLCONNECTOR_MARIADB_URL")
WHOLE_STORIES = ["tests/scenarios/test_same_everywhere.py", "tests/test_demo.py", "tests/test_public_api.py"]
"""From end to end, over real HTTP, for every API of every ERP."""

CLOSE_TO_LIBRARIES = [
    *("tests/unit/auth", "tests/unit/credentials", "tests/unit/mapping", "tests/unit/state"),
    *("tests/unit/test_config.py", "tests/unit/test_http.py", "tests/unit/test_retry.py"),
    *("tests/unit/sources/test_soap.py", "tests/unit/sources/test_xml.py", "tests/unit/sources/test_sage100_soap.py"),
    "tests/contracts/test_state_stores.py",
]
"""Where a library's version can make a difference."""

PYTEST = ("python", "-m", "pytest", "-n", "logical")
"""As many workers as the machine has processors."""

# What needs a vendor contract or a server is the business of `contracts`, whatever the caller's environment says.
ALONE = {"MLCONNECTOR_SPECS": None, **dict.fromkeys(DATABASES)}


def group(name: str) -> list[str]:
    """The requirements of a dependency group of pyproject.toml."""
    return list(nox.project.dependency_groups(PYPROJECT, name))


@nox.session
def tests(session: nox.Session) -> None:
    """Run every test that needs neither a server nor vendor contracts."""
    session.install("-e", ".", *group("tests"))
    session.run(*PYTEST, "--dist", "worksteal", *session.posargs, env=ALONE)


@nox.session
def coverage(session: nox.Session) -> None:
    """Run the tests and report lines and branches that none of them reaches."""
    session.install("-e", ".", *group("tests"), *group("coverage"))
    session.run("coverage", "erase")
    session.run("coverage", "run", "-m", "pytest", *session.posargs, env=ALONE)
    session.run("coverage", "combine", "--quiet")
    session.run("coverage", "report")


@nox.session
def lint(session: nox.Session) -> None:
    """Check rules and format; `nox -s lint -- --fix` mends what can be mended."""
    session.install(*group("lint"))
    if "--fix" in session.posargs:
        session.run("ruff", "check", "--fix", ".")
        session.run("ruff", "format", ".")
    else:
        session.run("ruff", "check", ".")
        session.run("ruff", "format", "--check", ".")


@nox.session
def typing(session: nox.Session) -> None:
    """Check types with mypy and pyright: the package, and the public API as a caller sees it."""
    session.install("-e", ".[otel]", *group("typing"))
    session.run("mypy")
    session.run("pyright", "--pythonpath", _python_of(session), env={"PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"})


def _python_of(session: nox.Session) -> str:
    """The session's own interpreter, for tools that would otherwise look for one."""
    return shutil.which("python", path=session.bin) or "python"


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation, warnings being errors, and run its code."""
    session.install("-e", ".", *group("docs"), *group("tests"))
    session.run("mkdocs", "build", "--strict", "--quiet", env={"NO_MKDOCS_2_WARNING": "1"})
    session.run(*PYTEST, "tests/test_docs.py", *session.posargs, env=ALONE)


@nox.session
def contracts(session: nox.Session) -> None:
    """Compare with vendor contracts and run state stores on real servers; what is given must not be skipped."""
    session.install("-e", ".[postgres,mysql]", *group("tests"))
    required = ["--require-specs"] if os.environ.get("MLCONNECTOR_SPECS") else []
    for name in ("MLCONNECTOR_SPECS", *DATABASES):
        session.log("%s is %s", name, "given" if os.environ.get(name) else "not given")
    # A server is shared by the tests of one file, which therefore stay with one worker.
    session.run(*PYTEST, "--dist", "loadfile", "tests/contracts", *required, *session.posargs)


@nox.session
def package(session: nox.Session) -> None:
    """Build sdist and wheel, check what is in them, and test the wheel away from the source tree."""
    session.install(*group("package"), *group("tests"))
    built = Path(session.create_tmp()) / "dist"
    shutil.rmtree(built, ignore_errors=True)
    session.run("python", "-m", "build", "--outdir", str(built))
    (wheel,), (sdist,) = built.glob("*.whl"), built.glob("*.tar.gz")
    _check_contents(session, wheel, sdist)
    session.install(str(wheel))
    away = Path(session.create_tmp()) / "away"
    shutil.rmtree(away, ignore_errors=True)
    away.mkdir()
    for name in ("tests", "docs"):
        shutil.copytree(name, away / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "noxfile.py", "LICENSE", *(str(page) for page in Path().glob("*.md"))):
        shutil.copy(name, away / name)
    session.chdir(away)
    smoke = "import mlconnector_sdk as m, pathlib; print(m.__version__, pathlib.Path(m.__file__).parent)"
    session.run("python", "-c", smoke)
    # The wheel is file for file the tree that `tests` has tested; what is left to show is that it works as a whole.
    session.run(*PYTEST, *(session.posargs or WHOLE_STORIES), env=ALONE)


def _check_contents(session: nox.Session, wheel: Path, sdist: Path) -> None:
    """Fail unless the wheel has the whole package and nothing else, and the sdist has what its tests need."""
    expected = {path.as_posix() for path in Path("mlconnector_sdk").rglob("*") if _is_shipped(path)}
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    if names != expected:
        session.error(f"the wheel differs from the tree: {sorted(names ^ expected)}")
    with tarfile.open(sdist) as archive:
        packed = {name.partition("/")[2] for name in archive.getnames()}
    top = {"pyproject.toml", "LICENSE", "README.md", "SECURITY.md", "noxfile.py"}
    wanted = {*expected, *top, "tests/conftest.py", "docs/index.md"}
    if missing := wanted - packed:
        session.error(f"the sdist lacks {sorted(missing)}")


def _is_shipped(path: Path) -> bool:
    return path.is_file() and "__pycache__" not in path.parts and path.suffix not in {".pyc", ".db"}


@nox.session
def minimums(session: nox.Session) -> None:
    """Run the tests on the lowest version of each dependency that pyproject.toml allows."""
    session.install("uv")
    python = _python_of(session)
    session.run("uv", "pip", "install", "--python", python, "--resolution", "lowest-direct", ".")
    session.install(*group("tests"))
    session.run("uv", "pip", "list", "--python", python)
    session.run(*PYTEST, *(session.posargs or [*CLOSE_TO_LIBRARIES, "tests/test_demo.py"]), env=ALONE)


@nox.session
def bench(session: nox.Session) -> None:
    """Print speed, requests and memory; arguments go to the benchmark."""
    session.install("-e", ".", *group("tests"))
    session.run("python", "-m", "tests.benchmarks.run", *session.posargs, env=ALONE)


@nox.session
def bench_peers(session: nox.Session) -> None:
    """Do the same work with other tools, each in an environment of its own; arguments go to the comparison."""
    session.install("-e", ".", *group("tests"))
    environments = Path(session.cache_dir) / "peers"
    session.run("python", "tests/bench_peers/run.py", "--environments", str(environments), *session.posargs, env=ALONE)


@nox.session
def chaos(session: nox.Session) -> None:
    """Kill processes at work, take their database away, and compare the end with a quiet life; `-- --long` for long."""
    session.install("-e", ".[postgres,mysql]", *group("tests"))
    for name in DATABASES:
        session.log("%s is %s", name, "given" if os.environ.get(name) else "not given")
    session.run("python", "tests/chaos/run.py", *session.posargs)
