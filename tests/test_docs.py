"""What the documentation shows works: its code runs, its links lead somewhere, its notebooks execute."""

from __future__ import annotations

import contextlib
import doctest
import importlib
import io
import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest

import mlconnector_sdk
from tests._imports import modules_of
from tests._mentions import commands_of, mentions_of, missing_in
from tests._pages import SETUPS, Block, anchors_of, blocks_of, links_of, pages_of, setup_of

PROJECT = Path(__file__).parent.parent
PAGES = pages_of(PROJECT)
NOTEBOOKS = sorted((PROJECT / "docs").rglob("*.ipynb"))
MODULES = [name for name in modules_of(Path(mlconnector_sdk.__file__).parent) if ".integrations." not in name]


CLAIMS = [PROJECT / "docs" / "explanation" / "delivery_guarantees.md", PROJECT / "SECURITY.md"]
"""Pages that say what can be relied on."""

FOREIGN = {
    *("MLCONNECTOR_POSTGRES_URL", "MLCONNECTOR_MARIADB_URL", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SIGKILL"),
    *("env:", "file:", "hide_parameters=True", "repr", "VACUUM"),
    *("read = created + updated + unchanged + skipped + dead", "not finished", "shared_address", "NOT OK"),
}
"""What these pages have in code and is no public name: the environment's, other libraries', and words of reports."""


def name_of(path: Path) -> str:
    """How a page is called in the list of tests."""
    return path.relative_to(PROJECT).as_posix()


def run_page(path: Path, text: str) -> list[str]:
    """Run a page's Python blocks in one namespace; what was printed otherwise than shown, as lines."""
    wrong = []
    printed = ""
    with SETUPS[setup_of(text)]() as provided:
        namespace = {"__name__": "__main__", **provided}
        for block in blocks_of(text):
            if block.is_output:
                if not same_output(block.code, printed):
                    wrong.append(f"{path}:{block.line} shows:\n{block.code}but this was printed:\n{printed}")
            elif block.language == "python":
                printed = run_block(path, block, namespace)
    return wrong


def run_block(path: Path, block: Block, namespace: dict[str, object]) -> str:
    """Run one block, under its own page and line in a traceback; returns what it printed."""
    code = compile("\n" * (block.line - 1) + block.code, str(path), "exec")
    printed = io.StringIO()
    if not block.not_run:
        with contextlib.redirect_stdout(printed):
            exec(code, namespace)
    return printed.getvalue()


def same_output(shown: str, printed: str) -> bool:
    """Whether a page shows what was printed, apart from spacing and what `...` stands for."""
    options = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    return doctest.OutputChecker().check_output(shown.rstrip() + "\n", printed.rstrip() + "\n", options)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_code_on_page_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every Python block of a page runs, one after the other, and prints what the page shows."""
    monkeypatch.chdir(tmp_path)

    assert run_page(page, page.read_text("utf-8")) == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_on_page_resolve(page: Path) -> None:
    """Every relative link leads to a file, and to a heading when it names one."""
    assert broken_links(page, page.read_text("utf-8")) == []


def broken_links(page: Path, text: str) -> list[str]:
    """Relative links without a target."""
    broken = []
    for link in links_of(text):
        parts = urlsplit(link)
        # Pages below reference/api/ are written at build time, from docstrings; the build checks links to them.
        if parts.scheme or parts.netloc or "reference/api/" in (page.parent / parts.path).as_posix():
            continue
        target = page.parent / parts.path if parts.path else page
        known = target.exists() and (not parts.fragment or parts.fragment in anchors_of(target.read_text("utf-8")))
        if not known:
            broken.append(link)
    return broken


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings_run(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every example in a docstring prints what it says."""
    monkeypatch.chdir(tmp_path)
    report = io.StringIO()
    with contextlib.redirect_stdout(report):
        result = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)

    assert result.failed == 0, report.getvalue()


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=name_of)
def test_notebook_executes(notebook: Path, tmp_path: Path) -> None:
    """Every cell of a notebook runs in a fresh kernel."""
    import nbformat
    from nbclient import NotebookClient

    cells = nbformat.read(notebook, as_version=4)
    finished = NotebookClient(cells, timeout=120, resources={"metadata": {"path": str(tmp_path)}}).execute()

    assert [cell for cell in finished.cells if cell.cell_type == "code" and cell.execution_count is None] == []


def test_readme_code_is_never_left_out() -> None:
    """What newcomers copy first is run, without exception."""
    text = (PROJECT / "README.md").read_text("utf-8")

    assert [block.line for block in blocks_of(text) if block.not_run] == []
    assert any(block.language == "python" for block in blocks_of(text))


MADE_UP = """
# A page with `code`

A [link](#a-page-with-code), [another](#nowhere), `[no](link.md)`, [gone](gone.md).

```python
answer = 41
```

1. Then:

   ```python
   answer += 1
   print("the answer is", answer)
   ```

   <!-- output -->

   ```text
   the ... is 42
   ```

<!-- not run: it needs a server of yours -->
```python
raise SystemExit
```
"""


def test_page_is_run_as_it_reads() -> None:
    """Blocks share their variables, outputs are compared, and what is not run says why."""
    assert run_page(Path("made_up.md"), MADE_UP) == []


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (("is 42", "is 43"), "shows:"),
        (("answer += 1", "answer += 2"), "shows:"),
    ],
)
def test_wrong_output_is_found(change: tuple[str, str], problem: str) -> None:
    """A page that shows something else than its code prints is found."""
    wrong = run_page(Path("made_up.md"), MADE_UP.replace(*change))

    assert len(wrong) == 1
    assert problem in wrong[0]


def test_failing_block_is_found() -> None:
    """A block that raises fails its page and names the page's own line."""
    with pytest.raises(NameError) as caught:
        run_page(Path("made_up.md"), MADE_UP.replace("answer = 41", "unknown"))

    assert caught.traceback[-1].lineno + 1 == MADE_UP.splitlines().index("answer = 41") + 1


def test_block_not_run_must_still_compile() -> None:
    """A block that is not run is at least Python."""
    with pytest.raises(SyntaxError):
        run_page(Path("made_up.md"), MADE_UP.replace("raise SystemExit", "raise raise"))


def test_broken_links_are_found() -> None:
    """A link to a missing page or heading is found; what stands in code is no link."""
    assert broken_links(PROJECT / "README.md", MADE_UP.replace("#a-page-with-code", "LICENSE")) == [
        "#nowhere",
        "gone.md",
    ]
    assert anchors_of(MADE_UP) == {"a-page-with-code"}


@pytest.mark.parametrize("page", CLAIMS, ids=name_of)
def test_what_a_claim_names_exists(page: Path) -> None:
    """Each command, option, file and public name that the page mentions is there, and nothing else is in code."""
    assert missing_in(page.read_text("utf-8"), PROJECT, foreign=FOREIGN) == []


def test_no_foreign_word_is_left_over() -> None:
    """A word that no page mentions any more is taken off the list."""
    assert FOREIGN == FOREIGN & {one for page in CLAIMS for one in mentions_of(page.read_text("utf-8"))}


def test_each_promise_tells_its_tests_and_its_end() -> None:
    """All fifteen promises say where they end, and name at least two commands that show them."""
    sections = re.split(r"^## ", CLAIMS[0].read_text("utf-8"), flags=re.MULTILINE)
    promises = [text for text in sections if re.match(r"\d+\. ", text)]

    assert [f"{number}." for number in range(1, 16)] == [text.split()[0] for text in promises]
    assert [text.splitlines()[0] for text in promises if "*Where it ends.*" not in text] == []
    assert [text.splitlines()[0] for text in promises if len(commands_of(text)) < 2] == []


@pytest.mark.parametrize(
    ("mention", "problem"),
    [
        ("nox -s everything", "no such session"),
        ("nox -s chaos -- --gently", "no option --gently"),
        ("nox -s tests -- tests/test_nothing.py", "no file tests/test_nothing.py"),
        ("nox -s contracts -- tests/contracts/test_state_stores.py", "this session does not take files"),
        ("tests/test_nothing.py", "no such file"),
        ("mlconnector_sdk.nothing", "no such module"),
        ("EncryptedVaults", "no such name"),
        ("engine.runs", "no runs"),
        ("Nobody.run", "no public Nobody"),
        ("Network(allow_https=True)", "no argument allow_https"),
        ("of all sorts", "neither a command, nor a file, nor a name"),
    ],
)
def test_a_claim_about_nothing_is_found(mention: str, problem: str) -> None:
    """What is not there is found, and said."""
    assert missing_in(f"As `{mention}` says.", PROJECT) == [f"{mention}: {problem}"]


@pytest.mark.parametrize(
    "mention",
    [
        "nox -s chaos -- --list",
        "nox -s tests -- tests/test_docs.py",
        "tests/chaos",
        "engine.prune(older_than=…)",
        "error.report",
        "Network(allow_http=True)",
        "parse_webhook",
        "mlconnector_sdk.testing",
        "key=",
    ],
)
def test_a_claim_about_something_passes(mention: str) -> None:
    """No rule cries about what is there."""
    assert missing_in(f"As `{mention}` says.", PROJECT) == []
