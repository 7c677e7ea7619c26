"""The shape of the house: who may import whom, what stays out of memory, and how large things grow."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PARTS = ("ingest", "runner", "app")
VIEWS_MAY_IMPORT = {
    "warehouse",
    "desk",
    "charts",
    "scatter",
    "wallet_chart",
    "palette",
    "labels",
    "live",
    "identity",
    "review",
    "export",
    "errors",
    "views",
    "workbench",
    "answer_chart",
    "sign_in",
    "tracing",
}
HEAVY = {"streamlit", "dbt", "duckdb", "polars", "pandas", "plotly", "pydantic_ai", "openai", "sqlalchemy"}
MAX_FILE_LINES = 350
MAX_FUNCTION_LINES = 60
MAX_SQL_LINES = 120


def product_files() -> list[Path]:
    return [path for part in PARTS for path in sorted((ROOT / part).rglob("*.py"))]


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache", "--no-logo"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


def test_the_import_contracts_of_pyproject_hold() -> None:
    result = lint_imports(ROOT)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(
    ("module", "statement"),
    [
        ("ingest/mutant.py", "from runner.errors import RunnerError"),
        ("runner/mutant.py", "import duckdb"),
        ("runner/control/mutant.py", "import pydantic_ai"),
        ("app/views/mutant.py", "from ingest.workspace import home"),
        ("app/charts.py", "import streamlit"),
        ("app/desk.py", "import dbt"),
    ],
)
def test_a_forbidden_import_breaks_a_contract(module: str, statement: str, tmp_path: Path) -> None:
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for part in PARTS:
        shutil.copytree(ROOT / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__"))
    with (tmp_path / module).open("a") as file:
        file.write(f"\n{statement}\n")
    result = lint_imports(tmp_path)
    assert result.returncode == 1, result.stdout + result.stderr
    assert "BROKEN" in result.stdout


def test_each_module_of_app_is_either_open_or_closed_to_views() -> None:
    # Without this a new module would be open to views by default.
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (contract,) = [one for one in contracts if one["name"].startswith("views touch")]
    closed = {name.removeprefix("app.") for name in contract["forbidden_modules"] if name.startswith("app.")}
    paths = [
        path for path in (ROOT / "app").iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()
    ]
    modules = {path.stem for path in paths} - {"__init__", "streamlit_app"}
    assert modules - closed == VIEWS_MAY_IMPORT & modules


def test_each_package_is_in_the_list_of_the_build_backend() -> None:
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    found = {
        ".".join(path.parent.relative_to(ROOT).parts)
        for path in product_files()
        if path.name == "__init__.py"
    }
    assert set(listed) == found


def loaded_by(statement: str) -> set[str]:
    """Top-level packages and runner.agent modules in memory after ``statement`` in a fresh Python."""
    code = f"import sys; {statement}; print(*sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    modules = result.stdout.split()
    return {name.partition(".")[0] for name in modules} | {
        name for name in modules if name.startswith("runner.")
    }


def test_the_command_line_starts_without_anything_heavy() -> None:
    assert loaded_by("import app.cli") & HEAVY == set()


def test_views_load_no_agent_loop_no_model_and_no_builder() -> None:
    views = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in sorted((ROOT / "app" / "views").rglob("*.py"))
        if path.name != "__init__.py"
    ]
    assert views
    loaded = loaded_by("import " + ", ".join(views))
    assert loaded & {"pydantic_ai", "openai", "dbt", "runner.agent.loop", "runner.agent.simulated"} == set()


def definitions(path: Path) -> Iterator[tuple[str, ast.AST]]:
    """Each function and class of a file with its name."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name, node


def test_files_and_functions_stay_small() -> None:
    too_long = []
    for path in product_files():
        lines = len(path.read_text(encoding="utf-8").splitlines())
        if lines > MAX_FILE_LINES:
            too_long.append(f"{path.relative_to(ROOT)}: {lines} lines")
        for name, node in definitions(path):
            length = node.end_lineno - node.lineno + 1  # type: ignore[attr-defined]
            if not isinstance(node, ast.ClassDef) and length > MAX_FUNCTION_LINES:
                too_long.append(f"{path.relative_to(ROOT)}: {name} has {length} lines")
    for path in sorted((ROOT / "dbt_project" / "models").rglob("*.sql")):
        lines = len(path.read_text(encoding="utf-8").splitlines())
        if lines > MAX_SQL_LINES:
            too_long.append(f"{path.relative_to(ROOT)}: {lines} lines")
    assert too_long == []


def test_every_module_and_public_name_says_what_it_is() -> None:
    silent = []
    for path in product_files():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        if ast.get_docstring(tree) is None:
            silent.append(str(path.relative_to(ROOT)))
        public = [node for node in tree.body if not getattr(node, "name", "_").startswith("_")]
        for node in public:
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node) is None:
                silent.append(f"{path.relative_to(ROOT)}: {node.name}")
    assert silent == []
