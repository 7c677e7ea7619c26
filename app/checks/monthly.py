"""The check of a month: verify the log, build its tables as of the month's end, decide, answer."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl

from app import identity
from app.build import AS_OF, PROJECT, build, company_time_zone
from app.checks.catalogue import catalogue
from app.checks.decide import Evidence, Found, decide
from app.checks.integrity import InspectedLog, LogFacts, inspect_log
from app.checks.late import late_events
from app.checks.parameters import parameters
from app.checks.results import Answer, Result
from app.checks.waivers import unwaived, waivers_in_force
from app.errors import CheckError
from app.questions.scope import Scope
from app.standing import same_tables
from app.warehouse import Scoped, Warehouse
from ingest.reader import rows_where
from ingest.tracing import span
from ingest.workspace import Workspace
from runner.control import months
from runner.control.months import month_text
from runner.control.waivers import Waiver

EVERYTHING = Scope(person_id="", role_id="", team_ids=None, own_only=False)
INTEGRITY = "INT-"
_STATED = ["event_type", "check_id", "check_month", "person_id", "reason", "occurred_at", "is_demo"]
_SOUND = ("PASS", "WAIVED", "MANUAL")

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Part:
    """What of the company is looked at; nothing named is all of it. ``risk`` is a risk class."""

    agent_id: str | None = None
    team_id: str | None = None
    risk: str | None = None

    @property
    def is_whole(self) -> bool:
        """Whether all of the company is looked at."""
        return self == Part()


@dataclass(frozen=True, kw_only=True)
class Monthly:
    """The answer for a month, and the tables it was decided on; ``notes`` are of the verification."""

    answer: Answer
    scoped: Scoped
    notes: tuple[str, ...]


def month_end(workspace: Workspace, month: dt.date) -> dt.datetime:
    """The moment (UTC) at which ``month`` is over by the company's clock."""
    return months.month_end(month, ZoneInfo(company_time_zone(workspace)))


@span("check")
def check_month(
    workspace: Workspace,
    month: dt.date,
    *,
    part: Part | None = None,
    demo: bool | None = None,
    say: Say = lambda text: None,
    project: Path = PROJECT,
) -> Monthly:
    """Verify the log, build the tables of ``month`` as of its end, and decide every check.

    ``demo`` chooses the rows, None takes real ones where there are any; ``say`` is told what is done.
    Raises what :func:`app.build.build` and the verification raise: then nothing could be checked.
    """
    end = month_end(workspace, month)
    say("Verifying the log")
    log = _verified(workspace, end)
    say(f"Building the tables as the log stood at {end:%Y-%m-%d %H:%M} UTC")
    tables = same_tables(workspace, workspace.build_dir / AS_OF, project, end)
    warehouse = Warehouse.at(tables or build(workspace, project=project, recorded_before=end).path)
    scoped = warehouse.for_person(EVERYTHING)
    is_demo = identity.shows_demo(scoped) if demo is None else demo
    facts = log.facts(parameters(workspace)["max_retention_days"], is_demo=is_demo)
    results = _decided(workspace, scoped, facts, month, part or Part(), is_demo=is_demo)
    broken = [one for one in results if one.check_id.startswith(INTEGRITY) and one.status not in _SOUND]
    answer = Answer(
        month=month,
        results=results,
        checkpoint_size=facts.checkpoint_size,
        checkpoint_root=facts.checkpoint_root,
        is_verified=not [one for one in broken if one.severity == "critical"],
        build_id=f"as of {end:%Y-%m-%dT%H:%MZ}",
        late_events=_late(workspace, month_end(workspace, month - dt.timedelta(days=1)), end),
        is_demo=is_demo,
    )
    return Monthly(answer=answer, scoped=scoped, notes=facts.notes)


def _verified(workspace: Workspace, end: dt.datetime) -> InspectedLog:
    with _readable(workspace):
        return inspect_log(workspace.record, end)


def _late(workspace: Workspace, start: dt.datetime, end: dt.datetime) -> int:
    with _readable(workspace):
        return late_events(workspace, start, end)


@contextmanager
def _readable(workspace: Workspace) -> Iterator[None]:
    """Raise CheckError where the log cannot be read."""
    try:
        yield
    except OSError as error:
        raise CheckError(
            f"Not checked: the log in {workspace.root} cannot be read ({type(error).__name__}: {error}). "
            "Correct its permissions or restore it, then check again; nothing is known until then."
        ) from error


def _decided(
    workspace: Workspace, scoped: Scoped, facts: LogFacts, month: dt.date, part: Part, *, is_demo: bool
) -> tuple[Result, ...]:
    """Every check of the catalogue, in its order."""
    agents = _agents(scoped, part, is_demo=is_demo)
    last = months.last_day(month)
    counts, findings = (
        _of(part, agents, scoped.table(mart, is_demo=is_demo, first_date=month, last_date=last))
        for mart in ("rpt_check_months", "fct_check_findings")
    )
    found = _found(findings)
    evidence = Evidence(
        populations=dict(counts.group_by("check_id").agg(pl.col("population").sum()).iter_rows()),
        found=found,
        counts=facts.counts,
        waived=_waived(found, _waivers(workspace, month)),
        absences=_absences(workspace, month, is_demo=is_demo),
    )
    return tuple(decide(check, evidence) for check in catalogue(scoped.warehouse))


def _agents(scoped: Scoped, part: Part, *, is_demo: bool) -> set[str]:
    """The agents of ``part``: named, of the team, of the risk class; without one an agent counts as high."""
    frame = scoped.table("dim_agents", is_demo=is_demo).with_columns(pl.col("risk_class").fill_null("high"))
    for column, wanted in (
        ("agent_id", part.agent_id),
        ("team_id", part.team_id),
        ("risk_class", part.risk),
    ):
        if wanted is not None:
            frame = frame.filter(pl.col(column) == wanted)
    if not part.is_whole and frame.is_empty():
        raise CheckError(f"Nothing to check: no agent fits {part}. `fleetbook agents` lists them.")
    return set(frame["agent_id"])


def _of(part: Part, agents: set[str], frame: pl.DataFrame) -> pl.DataFrame:
    return frame if part.is_whole else frame.filter(pl.col("agent_id").is_in(sorted(agents)))


def _found(findings: pl.DataFrame) -> dict[str, list[Found]]:
    found: dict[str, list[Found]] = defaultdict(list)
    for row in findings.sort("finding_id").iter_rows(named=True):
        one = Found(finding_id=row["finding_id"], object_id=row["object_id"], detail=row["detail"])
        found[row["check_id"]].append(one)
    return found


def _waivers(workspace: Workspace, month: dt.date) -> list[Waiver]:
    from runner.control.plane import Control

    with Control(workspace, process_name="fleetbook check") as control:
        return waivers_in_force(control, month)


def _waived(found: dict[str, list[Found]], granted: Sequence[Waiver]) -> dict[str, frozenset[str]]:
    waived = {}
    for check_id, ones in found.items():
        ids = [one.finding_id for one in ones]
        waived[check_id] = frozenset(ids) - frozenset(unwaived(check_id, ids, granted))
    return waived


def _absences(workspace: Workspace, month: dt.date, *, is_demo: bool) -> dict[str, str]:
    """Check id to the statement of a person that there was nothing to look at in the month.

    Such a statement is made when the month is over, so it counts whenever it was recorded.
    """
    with _readable(workspace):
        tables = list(rows_where(workspace, _STATED, "event_type", "absence_attested"))
    return {
        row["check_id"]: f"{row['person_id']} on {row['occurred_at']:%Y-%m-%d}: {row['reason']}"
        for row in (one for table in tables for one in table.to_pylist())
        if row["check_month"] == month_text(month) and row["is_demo"] == is_demo
    }
