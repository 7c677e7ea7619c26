"""Looks at what is around the stores: disk, files, settings, registry, models, rejected input."""

from __future__ import annotations

import datetime as dt
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from app.upkeep.findings import Finding
from app.upkeep.vitals import disk_vitals, has_control_store, quarantined
from ingest.workspace import Workspace
from runner.control.plane import Control
from runner.control.providers import check_model
from runner.control.registry_file import load_registry
from runner.errors import ModelUnusable

_LEAST_FREE_BYTES = 1 << 30
_LEAST_FREE_SHARE = 0.05
_SECRETS = ("tokens.json", "content.key", "checkpoints/notary.key", "control.db")


def disk_space(workspace: Workspace, _: dt.datetime) -> Iterator[Finding]:
    """Whether there is room to record."""
    disk = disk_vitals(workspace)
    words = f"{disk.free_bytes / 1e9:,.1f} of {disk.total_bytes / 1e9:,.1f} GB are free"
    if disk.free_bytes < _LEAST_FREE_BYTES:
        advice = "Make room now: without it nothing can be recorded, and no agent may act."
        yield Finding(subject="disk", state="broken", words=words, advice=advice)
    elif disk.free_bytes < disk.total_bytes * _LEAST_FREE_SHARE:
        advice = "Make room soon: `fleetbook log prune` and old exports give some."
        yield Finding(subject="disk", state="look", words=words, advice=advice)
    else:
        yield Finding(subject="disk", state="ok", words=words)


def open_secrets(workspace: Workspace, _: dt.datetime) -> Iterator[Finding]:
    """Whether keys and tokens are closed to other people of this machine."""
    open_to_all = [name for name in _SECRETS if _read_by_others(workspace.root / name)]
    if open_to_all and _read_by_others(workspace.root):
        yield Finding(
            subject="files",
            state="look",
            words=f"everybody on this machine may read {', '.join(open_to_all)}",
            advice=f"chmod o-rwx {workspace.root}",
        )
    else:
        yield Finding(subject="files", state="ok", words="keys and tokens are closed to other people")


def _read_by_others(path: Path) -> bool:
    return path.exists() and bool(path.stat().st_mode & (stat.S_IROTH | stat.S_IXOTH))


def registry(workspace: Workspace, _: dt.datetime) -> Iterator[Finding]:
    """Whether registry.yaml can be read, and is what is applied."""
    if not workspace.registry_file.exists():
        advice = "`fleetbook init` writes one to start from."
        yield Finding(subject="registry", state="look", words="there is no registry.yaml", advice=advice)
        return
    declared = load_registry(workspace.registry_file)
    if not has_control_store(workspace):
        yield Finding(
            subject="registry",
            state="look",
            words=f"{len(declared.agents)} agents are declared, none is applied",
            advice="`fleetbook registry apply` makes it so.",
        )
        return
    with Control(workspace, process_name="fleetbook doctor") as control:
        plan = control.plan(declared)
    if plan.is_empty:
        words = f"{len(declared.agents)} agents are declared and applied"
        yield Finding(subject="registry", state="ok", words=words)
    else:
        words = f"{len(plan.changes)} differences between registry.yaml and what is applied"
        advice = "`fleetbook registry plan` shows them, `fleetbook registry apply` makes them so."
        yield Finding(subject="registry", state="look", words=words, advice=advice)


def models(workspace: Workspace, _: dt.datetime) -> Iterator[Finding]:
    """Whether each model that agents name can be called from here, with this environment."""
    if not workspace.registry_file.exists():
        return
    named = {agent.model for agent in load_registry(workspace.registry_file).agents.values()}
    lacking: dict[str, list[str]] = {}
    for model in sorted(named):
        try:
            check_model(model)
        except ModelUnusable as error:
            lacking.setdefault(error.problem, []).append(model)
    for problem, unusable in lacking.items():
        yield Finding(
            subject="models",
            state="look",
            words=f"{', '.join(unusable)}: {problem}",
            advice="docs/models.md says what a provider needs; agents that run elsewhere need nothing here.",
        )
    if named and not lacking:
        yield Finding(subject="models", state="ok", words=f"all {len(named)} can be called from here")


def rejected_input(workspace: Workspace, _: dt.datetime) -> Iterator[Finding]:
    """Whether something was rejected and waits for a cause to go."""
    count = quarantined(workspace)
    if count:
        advice = (
            "`fleetbook quarantine list` says why; `fleetbook quarantine replay` after the cause is gone."
        )
        yield Finding(
            subject="quarantine", state="look", words=f"{count} rejected runs are kept", advice=advice
        )
    else:
        yield Finding(subject="quarantine", state="ok", words="nothing was rejected")


def settings(workspace: Workspace, _: dt.datetime) -> Iterator[Finding]:
    """Settings that name what is not there."""
    for name in ("FLEETBOOK_NOTARY_KEY", "FLEETBOOK_TSA_CERTS"):
        value = os.environ.get(name)
        if value and not Path(value).exists():
            words = f"{name} names {value}, which does not exist"
            advice = "Correct the variable, or put the file there."
            yield Finding(subject="settings", state="broken", words=words, advice=advice)
