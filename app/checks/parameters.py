"""Thresholds of the checks: as they come with the product, and as a workspace sets its own."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import yaml

from app.errors import CheckError
from ingest.workspace import Workspace

FILE_NAME = "check_parameters.yaml"
_PROJECT = Path(__file__).resolve().parents[2] / "dbt_project" / "dbt_project.yml"


@lru_cache(maxsize=1)
def shipped() -> Mapping[str, float]:
    """Every threshold as it comes with the product, by name."""
    project = yaml.safe_load(_PROJECT.read_text(encoding="utf-8"))
    return dict(project["vars"]["check_parameters"])


def own_parameters(workspace: Workspace) -> dict[str, float]:
    """The thresholds that ``check_parameters.yaml`` of the workspace sets, empty without the file.

    Raises CheckError for a name that is no threshold and for what is no number above or equal to 0.
    """
    file = workspace.root / FILE_NAME
    if not file.exists():
        return {}
    try:
        told = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise _unusable(file, f"it is no YAML ({type(error).__name__})") from error
    if not isinstance(told, dict):
        raise _unusable(file, "it is no list of names with numbers")
    for name, number in told.items():
        if name not in shipped():
            raise _unusable(file, f"there is no threshold {name!r}; there are {', '.join(shipped())}")
        if isinstance(number, bool) or not isinstance(number, int | float) or number < 0:
            raise _unusable(file, f"{name} is {number!r}")
    return told


def parameters(workspace: Workspace) -> dict[str, float]:
    """Every threshold that counts in the workspace. Raises CheckError."""
    return {**shipped(), **own_parameters(workspace)}


def _unusable(file: Path, problem: str) -> CheckError:
    return CheckError(
        f"Thresholds not read: {file}: {problem}. Write one `name: number` per line, or remove the file."
    )
