"""What a demo workspace remembers about its making: the plan, the caps, and which steps are done."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from app.demo.story import Plan
from app.errors import DemoError
from ingest.workspace import Workspace

STORY = 1  # grows when the generator changes: a half-made history can only be completed by the same story


@dataclass(frozen=True, kw_only=True)
class State:
    """The content of demo.json. ``spent`` is nano-USD per wallet in the month in which the history ends."""

    plan: Plan
    caps: dict[str, str]
    is_history_done: bool = False
    spent: dict[str, int] | None = None
    live_runs: tuple[str, ...] = ()
    is_live_done: bool = False
    story: int = STORY
    has_begun: bool = False
    is_checked: bool = False


def load(workspace: Workspace) -> State | None:
    """The state of a demo workspace, None when it was never begun. Raises DemoError when it is unreadable."""
    if not workspace.demo_file.exists():
        return None
    try:
        raw = json.loads(workspace.demo_file.read_text(encoding="utf-8"))
        plan = Plan(
            seed=raw["plan"]["seed"],
            runs=raw["plan"]["runs"],
            start=dt.datetime.fromisoformat(raw["plan"]["start"]),
            end=dt.datetime.fromisoformat(raw["plan"]["end"]),
            time_zone=raw["plan"]["time_zone"],
        )
        state = State(**{**raw, "plan": plan, "live_runs": tuple(raw["live_runs"])})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DemoError(
            f"Demo not made: {workspace.demo_file} cannot be read ({type(error).__name__}). "
            "Name an empty folder with --workspace, or remove this workspace if it is only a demo."
        ) from error
    if state.story != STORY and not state.is_history_done:
        raise DemoError(
            f"Demo not made: the history in {workspace.root} was begun by another release (story "
            f"{state.story}, this one tells story {STORY}) and cannot be completed. "
            "Name an empty folder with --workspace."
        )
    return state


def save(workspace: Workspace, state: State) -> State:
    """Write the state in one step and return it."""
    plan = asdict(state.plan)
    plan |= {"start": state.plan.start.isoformat(), "end": state.plan.end.isoformat()}
    content = {**asdict(state), "plan": plan}
    _write(workspace.demo_file, json.dumps(content, indent=1, sort_keys=True) + "\n")
    return state


def _write(path: Path, text: str) -> None:
    temporary = path.with_suffix(".tmp")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)
