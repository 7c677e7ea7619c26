"""The documents say what is there: commands, links, events, decisions; and no file says what it must not."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.core import TyperGroup

from app.cli import app
from ingest.contract import copies

ROOT = Path(__file__).resolve().parent.parent
LAUNCHER_WORDS = {"test", "lint", "bench", "soak"}
DECISION_HEADINGS = ["## Context", "## Options", "## Decision", "## Price"]

# Written in pieces so that this file does not contain them.
REGISTRY_HOSTS = [
    "py" + "pi.org",
    "python" + "hosted.org",
    "npm" + "js.org",
    "deb" + "ian.org",
    "crates" + ".io",
]
MACHINE_PATHS = re.compile(r"(?<![\w./~-])/" + r"(root|home|work|tmp)/")
REFUSED = [*REGISTRY_HOSTS, "TO" + "DO", "FIX" + "ME", "unsafe_allow" + "_html", "st." + "html("]


def tracked_files() -> list[Path]:
    """What git holds, or would hold after the next commit."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    return [ROOT / name for name in listed if (ROOT / name).is_file()]


def documents() -> list[Path]:
    return [path for path in tracked_files() if path.suffix == ".md"]


def commands(group: TyperGroup, prefix: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], object]]:
    """Each command with the words that call it."""
    for name, command in group.commands.items():
        if isinstance(command, TyperGroup):
            yield from commands(command, (*prefix, name))
        else:
            yield (*prefix, name), command


def command_tree() -> TyperGroup:
    tree = typer.main.get_command(app)
    assert isinstance(tree, TyperGroup)
    return tree


def shell_lines(document: Path) -> list[str]:
    """The command lines of all ```sh blocks, continued lines joined, comments dropped."""
    blocks = re.findall(r"```sh\n(.*?)```", document.read_text(encoding="utf-8"), flags=re.DOTALL)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    return [line.strip() for line in lines if line.strip() and not line.strip().startswith("#")]


def fleetbook_calls() -> list[tuple[str, str]]:
    """Document name and line of each call of ours, also those in `code` inside sentences."""
    calls = []
    for document in documents():
        if document.name == "CHANGELOG.md":
            continue
        inline = re.findall(r"`((?:\./)?fleetbook [^`]+)`", document.read_text(encoding="utf-8"))
        for line in [*shell_lines(document), *inline]:
            if re.match(r"(\./)?fleetbook ", line):
                calls.append((str(document.relative_to(ROOT)), line))
    return calls


def unknown_words(call: str) -> str | None:
    """What in ``call`` is no command or no option of it, or None."""
    words = [
        word for word in shlex.split(call, comments=True)[1:] if not re.fullmatch(r"<.*>|…|\[.*\]", word)
    ]
    if not words or words[0] in LAUNCHER_WORDS or words[0] in ("--help", "--version"):
        return None
    node: object = command_tree()
    options = {"--workspace", "--help"}
    position = 0
    while isinstance(node, TyperGroup):
        if position == len(words):
            return None  # a group named as a whole, such as `fleetbook registry`
        if words[position].startswith("--") and node.invoke_without_command:
            break  # a group that does something by itself, such as `fleetbook agents --orphans`
        if words[position] not in node.commands:
            return words[position]
        node = node.commands[words[position]]
        position += 1
    known = {name for parameter in node.params for name in parameter.opts} | options  # type: ignore[attr-defined]
    used = [word.partition("=")[0] for word in words[position:] if word.startswith("--")]
    return next((word for word in used if word not in known), None)


def test_each_command_in_the_documents_exists_with_its_options() -> None:
    calls = fleetbook_calls()
    assert calls
    wrong = [f"{place}: {call!r}: {word}" for place, call in calls if (word := unknown_words(call))]
    assert wrong == []


def test_a_command_that_does_not_exist_is_noticed() -> None:
    assert unknown_words("./fleetbook fly") == "fly"
    assert unknown_words("./fleetbook serve --porthole 1") == "--porthole"
    assert unknown_words("./fleetbook agents --orphans") is None
    assert unknown_words("./fleetbook agents --widows") == "--widows"


def test_each_command_and_each_of_its_options_has_a_help_text() -> None:
    silent = []
    for words, command in commands(command_tree()):
        if not command.help:  # type: ignore[attr-defined]
            silent.append(" ".join(words))
        for parameter in command.params:  # type: ignore[attr-defined]
            if not getattr(parameter, "help", "says nothing"):
                silent.append(f"{' '.join(words)} {parameter.name}")
    assert silent == []


def test_each_command_is_in_a_document() -> None:
    written = "".join(path.read_text(encoding="utf-8") for path in documents() if path.name != "CHANGELOG.md")
    called = [" ".join(words) for words, _ in commands(command_tree())]
    assert [words for words in called if f"fleetbook {words}" not in written] == []


def anchors(document: Path) -> set[str]:
    """The anchors of a document's headings, as forges make them."""
    headings = re.findall(r"(?m)^#+ (.*)$", document.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def test_links_between_documents_resolve() -> None:
    broken = []
    for document in documents():
        text = re.sub(r"```.*?```", "", document.read_text(encoding="utf-8"), flags=re.DOTALL)
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            if "://" in target:
                continue
            name, _, anchor = target.partition("#")
            path = (document.parent / name).resolve() if name else document
            if not path.exists() or (anchor and anchor not in anchors(path)):
                broken.append(f"{document.relative_to(ROOT)}: {target}")
    assert broken == []


def test_the_copies_of_the_event_contract_are_current() -> None:
    stale = [path.name for path, text in copies(ROOT).items() if path.read_text(encoding="utf-8") != text]
    assert stale == []


def test_each_decision_has_context_options_decision_and_price() -> None:
    decisions = sorted((ROOT / "docs" / "decisions").glob("0*.md"))
    assert [path.name[:4] for path in decisions] == [
        f"{number:04}" for number in range(1, len(decisions) + 1)
    ]
    index = (ROOT / "docs" / "decisions" / "README.md").read_text(encoding="utf-8")
    for path in decisions:
        headings = re.findall(r"(?m)^## .*$", path.read_text(encoding="utf-8"))
        assert headings == DECISION_HEADINGS, path.name
        assert f"({path.name})" in index, path.name


def test_each_page_of_the_documents_is_in_the_index() -> None:
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    pages = sorted(path.name for path in (ROOT / "docs").glob("*.md") if path.name != "README.md")
    assert [page for page in pages if f"({page})" not in index] == []


def text_of(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None


@pytest.fixture(scope="module")
def texts() -> dict[str, str]:
    """Each text file of the repository with its content."""
    found = {str(path.relative_to(ROOT)): text_of(path) for path in tracked_files()}
    return {name: text for name, text in found.items() if text is not None}


def test_no_file_names_a_package_index_or_leaves_work_undone(texts: dict[str, str]) -> None:
    found = [f"{name}: {word}" for name, text in texts.items() for word in REFUSED if word in text]
    assert found == []


def test_no_file_names_a_folder_of_somebodys_machine(texts: dict[str, str]) -> None:
    found = [
        f"{name}: {match.group()}" for name, text in texts.items() for match in MACHINE_PATHS.finditer(text)
    ]
    assert found == []
