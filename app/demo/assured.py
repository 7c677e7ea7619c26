"""What the demo company records beside its runs: trainings, drills, planted errors, an incident, exports.

The monthly check has something to look at by it, and finds what a company of that size overlooks: one
reviewer misses planted errors, and the stop of one agent was not drilled for months.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

from app.demo import habits, words
from app.demo.cast import Cast, Player
from app.demo.record import Happening
from app.demo.story import Plan
from ingest.contract import Value, derived_event_id
from runner.control.registry import Registry

OFFICER, ANALYST, LEAD = "helena-brandt", "theo-keller", "ada-winter"
INCIDENT_AGENT = "weekly-report"  # works on Mondays only, so that its use stops for a weekend unnoticed
DRILL_DAYS = 60
PLANTED = 5
SECOND_NS = 1_000_000_000


def happenings(plan: Plan, registry: Registry, cast: Cast) -> list[Happening]:
    """Everything that was recorded, in the order in which it happened, without what would be to come."""
    at_risk = [player for agent_id, player in sorted(cast.players.items()) if _is_high(registry, agent_id)]
    reviewers = sorted(
        p for p, one in registry.people.items() if one.role in ("team_manager", "platform_lead")
    )
    told = [*_trainings(plan, reviewers), *_evaluations(plan, at_risk), *_drills(plan, at_risk)]
    for month in _months(plan):
        told += _each_month(plan, month, reviewers)
    told += _incident(plan, cast.players[INCIDENT_AGENT])
    return sorted((one for one in told if plan.start <= one.at < plan.end), key=lambda one: one.at)


def _is_high(registry: Registry, agent_id: str) -> bool:
    return registry.agents[agent_id].risk.risk_class == "high"


def _months(plan: Plan) -> list[dt.date]:
    return sorted({day.replace(day=1) for day in plan.days})


def _tell(event_type: str, moment: dt.datetime, *parts: str, **columns: Value) -> Happening:
    event_id = derived_event_id(moment, "demo", event_type, *parts)
    return Happening(
        moment, {"event_id": event_id, "event_type": event_type, "occurred_at": moment, **columns}, "", ""
    )


def _trainings(plan: Plan, reviewers: list[str]) -> Iterator[Happening]:
    valid_until = plan.end + dt.timedelta(days=180)
    for number, person_id in enumerate(reviewers):
        moment = plan.at(plan.days[0], 5) + dt.timedelta(minutes=number)  # before the first decision
        yield _tell(
            "training_recorded", moment, person_id, person_id=person_id, expires_at=valid_until,
            actor_id=OFFICER, reason="Course on human oversight of agents, half a day.",
        )  # fmt: skip


def _evaluations(plan: Plan, at_risk: list[Player]) -> Iterator[Happening]:
    """Each version is evaluated on the morning on which it was declared, before it is approved."""
    for player in at_risk:
        for version in player.versions:
            moment = version.declared_at + dt.timedelta(minutes=15)
            agent_id = player.habit.agent_id
            yield _tell(
                "version_evaluated", moment, agent_id, str(version.agent_version), agent_id=agent_id,
                agent_version=version.agent_version, version_hash=version.version_hash,
                team_id=player.team_id, person_id=ANALYST, actor_id=ANALYST, is_good=True,
                reason="All of the team's test tasks as expected.",
            )  # fmt: skip


def _drills(plan: Plan, at_risk: list[Player]) -> Iterator[Happening]:
    """Every agent is stopped for a try every two months; the last of the list only once, in spring."""
    for number, player in enumerate(at_risk):
        agent_id = player.habit.agent_id
        is_forgotten = player is at_risk[-1]
        for day in plan.days[10 + number : 11 + number if is_forgotten else None : DRILL_DAYS]:
            dice = plan.dice("drill", agent_id, day)
            moment = plan.at(day, 7, 60.0 * number)
            yield _tell(
                "stop_drill", moment, agent_id, agent_id=agent_id, team_id=player.team_id,
                stop_id=f"drill-{agent_id}-{day}", run_id=f"drill-{agent_id}-{day}",
                halt_ns=int((0.8 + 3 * dice.random()) * SECOND_NS), person_id=player.owner_id,
            )  # fmt: skip


def _each_month(plan: Plan, month: dt.date, reviewers: list[str]) -> Iterator[Happening]:
    """Planted errors, two restored copies of the log, an export, and an erasure that was asked for."""
    name = f"{month:%Y-%m}"
    for person_id in reviewers:
        for number in range(PLANTED):
            moment = plan.at(month + dt.timedelta(days=8 + number), 11)
            is_caught = (
                number < 2 if person_id == habits.HASTY_REVIEWER else number != 3 or month.month % 2 > 0
            )
            yield _tell(
                "seeded_case_recorded", moment, person_id, person_id=person_id, actor_id=OFFICER,
                is_good=is_caught, reason="A request with a planted error.",
            )  # fmt: skip
    for day in (11, 25):
        yield _tell(
            "restore_drilled", plan.at(month.replace(day=day), 16), name, person_id=LEAD, actor_id=LEAD,
            is_good=True, reason="The copy of the night verified whole, roots are equal.",
        )  # fmt: skip
    yield _tell(
        "export_created", plan.at(month.replace(day=3), 10), name, export_id=f"ex-{name}",
        export_format="csv", row_count=len(plan.days), content_sha256=words.digest(f"export {name}"),
        person_id=ANALYST, scope="all",
    )  # fmt: skip
    asked: dict[str, Value] = {"request_id": f"er-{name}", "person_id": OFFICER, "actor_id": OFFICER}
    received, answered = plan.at(month.replace(day=5), 9), plan.at(month.replace(day=17), 15)
    yield _tell("erasure_requested", received, name, received_at=received, reason="By e-mail.", **asked)
    yield _tell("erasure_answered", answered, name, reason="Texts are erased.", **asked)


def _incident(plan: Plan, player: Player) -> Iterator[Happening]:
    """On the third Saturday of the last complete month; over before the agent would have worked again."""
    month = (plan.month_start.astimezone(plan.zone).date() - dt.timedelta(days=1)).replace(day=1)
    saturday = month + dt.timedelta(days=(5 - month.weekday()) % 7 + 14)
    agent_id = player.habit.agent_id
    about = {"incident_id": f"inc-{month:%Y-%m}", "agent_id": agent_id, "team_id": player.team_id}
    sunday = saturday + dt.timedelta(days=1)
    yield _tell(
        "incident_opened", plan.at(saturday, 20), agent_id, identified_at=plan.at(saturday, 19),
        incident_class="other", person_id=player.owner_id, actor_id=player.owner_id,
        reason="A report that all teams read named a person.", **about,
    )  # fmt: skip
    yield _tell(
        "incident_reported", plan.at(saturday, 21), agent_id, reported_to="provider", person_id=OFFICER,
        actor_id=OFFICER, **about,
    )  # fmt: skip
    yield _tell(
        "incident_closed", plan.at(sunday, 17), agent_id, person_id=OFFICER, actor_id=OFFICER,
        reason="The report is replaced; its instructions name no people any more.", **about,
    )  # fmt: skip
