"""A trial of a template: a company of two in a throw-away workspace, real gates, the simulated model."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from ruamel.yaml.comments import CommentedMap

from ingest.workspace import Workspace
from runner.agent.loop import Outcome
from runner.agent.progress import Watch
from runner.control.amend import amended
from runner.control.approvals import Request
from runner.control.plane import Control
from runner.control.registry_file import parse_registry
from runner.templates.library import template, use_template
from runner.worker import run_until_parked

AGENT = "trial-agent"
_ASKS, _DECIDES = "trial-user", "trial-manager"
_COMPANY = """\
company: {name: Trial}
roles:
  team_manager: {scope: all, may: [run_agent, decide_approval, apply_registry]}
teams:
  trial: {name: Trial team, manager: trial-manager}
people:
  trial-user: {name: Trial user, team: trial, role: team_manager}
  trial-manager: {name: Trial manager, team: trial, role: team_manager}
grants:
  - {id: all, role: team_manager, action: run_agent}
prices:
  - {model: "sim:*", input_usd_per_mtok: "2.00", output_usd_per_mtok: "8.00", version: "trial"}
# A trial has nobody to approve the version: nothing in it leaves the workspace.
oversight: {second_person_approves_versions: []}
"""


class Step(NamedTuple):
    """Where the run stood, and what it has spent until then, in nano-USD."""

    outcome: Outcome
    spent_nano_usd: int


def try_template(
    template_id: str,
    task: str,
    watch: Watch,
    decide: Callable[[Request], bool],
    report: Callable[[Step], None],
) -> Step:
    """Run an agent made from the template on ``task`` until it ends; nothing of it is kept.

    ``decide`` says whether to approve each call that waits for a person; ``report`` gets each stop of the
    run. Returns the last one. Raises NotFound for an unknown template.
    """
    template(template_id)
    with tempfile.TemporaryDirectory(prefix="fleetbook-trial-") as folder:
        workspace = Workspace.create(Path(folder) / "workspace")
        with Control(workspace, process_name="fleetbook templates try", is_demo=True) as control:
            _declare(control, workspace.registry_file, template_id)
            run_id = control.request_run(AGENT, task, _ASKS)
            while True:
                outcome = run_until_parked(control, run_id, watch=watch)
                assert outcome is not None  # nobody else has this workspace
                step = Step(outcome, control.run(run_id).spent_nano_usd)
                report(step)
                if outcome.status == "ended":
                    return step
                for request in outcome.requests:
                    is_yes = decide(request)
                    decision = "approved" if is_yes else "rejected"
                    control.decide(
                        request.approval_id, _DECIDES, decision, "" if is_yes else "not in this trial"
                    )


def _declare(control: Control, file: Path, template_id: str) -> None:
    add = use_template(parse_registry(_COMPANY, file), template_id, AGENT, "trial", _DECIDES)

    def edit(tree: CommentedMap) -> None:
        add(tree)
        tree["agents"][AGENT] |= {"author": _ASKS, "status": "live"}

    control.apply(amended(_COMPANY, edit, file)[1])
