"""A handful of live runs: the real runner on the embedded simulated model, and one request that waits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ingest.workspace import Workspace
from runner.control import approvals
from runner.control.plane import Control
from runner.worker import Worker, run_until_parked


@dataclass(frozen=True, kw_only=True)
class Scene:
    """One live run: who asks which agent for what; ``decided_by`` approves what waits, None leaves it."""

    agent_id: str
    task: str
    person_id: str
    decided_by: str | None = None


SCENES: tuple[Scene, ...] = (
    Scene(
        agent_id="help-center-answers",
        task="Answer ticket T-1042: how long does a refund take?",
        person_id="amir-haddad",
    ),
    Scene(
        agent_id="lead-researcher",
        task='Research the lead "Acme Robotics" and update the CRM.',
        person_id="sara-nowak",
    ),
    Scene(
        agent_id="campaign-writer",
        task='Write a newsletter for "trail shoes" to members.',
        person_id="ivy-chen",
    ),
    Scene(
        agent_id="expense-checker",
        task="Check expense report EXP-310.",
        person_id="david-meyer",
    ),
    Scene(
        agent_id="service-doctor",
        task='Customers cannot pay: look at "checkout-api" and restart it if needed.',
        person_id="felix-brandt",
        decided_by="ada-winter",
    ),
    Scene(
        agent_id="refund-agent",
        task="The customer of order W-2211 asks for a refund of 240 USD.",
        person_id="jon-vass",
    ),
)


def play(
    workspace: Workspace,
    begun: tuple[str, ...],
    remember: Callable[[str], None],
    progress: Callable[[str], None],
) -> None:
    """Play the scenes that were not begun yet.

    ``begun`` are the runs of an interrupted call, which are finished first; ``remember`` is called with each
    new run's id. Raises RunnerError.
    """
    import asyncio

    with Control(workspace, process_name="fleetbook demo") as control:
        if begun:
            asyncio.run(Worker(control).once())
        for scene in SCENES[len(begun) :]:
            progress(scene.agent_id)
            run_id = control.request_run(scene.agent_id, scene.task, scene.person_id)
            remember(run_id)
            run_until_parked(control, run_id)
            if scene.decided_by:
                _decide(control, run_id, scene.decided_by)


def waiting_requests(workspace: Workspace) -> int:
    """How many requests wait for a person now."""
    with Control(workspace, process_name="fleetbook demo") as control, control.store.read() as connection:
        return len(approvals.waiting(connection))


def _decide(control: Control, run_id: str, person_id: str) -> None:
    """Look at what the run waits for, approve it, and let the run go on."""
    with control.store.read() as connection:
        requests = approvals.of_run(connection, run_id, status="waiting")
    for request in requests:
        control.shown(request.approval_id, person_id)
        control.decide(request.approval_id, person_id, "approved", "seen in the logs, go ahead")
    if requests:
        run_until_parked(control, run_id)
