"""A log of any size for benchmarks: one sealed segment per day in the real schema, written by DuckDB.

Every run asks for two to four model turns and two tool calls; one in ten waits for an approval, one in ten
gets a verdict, some fail. The canonical bodies and the hash chain, which no builder reads, are left out.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import NamedTuple

import duckdb

from ingest.contract import SCHEMA_VERSION, Value, arrow_schema, rfc3339
from ingest.log.disk import file_sha256
from ingest.log.manifest import Manifest, Segment
from ingest.log.writer import LogWriter
from ingest.workspace import Workspace

FIRST_DAY = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
EVENTS_PER_RUN = 13.8
TEAMS, AGENTS, PEOPLE = 5, 34, 19


class Member(NamedTuple):
    """One agent of the log: its team, and the version it runs in."""

    agent_id: str
    team_id: str
    version_hash: str


class Cast(NamedTuple):
    """Who acts in the log, and on which day number 0 is; ``is_demo`` marks its rows."""

    agents: tuple[Member, ...]
    people: tuple[str, ...]
    first_day: dt.datetime = FIRST_DAY
    is_demo: bool = False


DECLARED = Cast(
    agents=tuple(
        Member(f"agent-{number}", f"team-{number % TEAMS}", f"hash-agent-{number}")
        for number in range(AGENTS)
    ),
    people=tuple(f"person-{number}" for number in range(PEOPLE)),
)
"""Those whom :func:`declare` declares."""
_STEPS = """
    (0, 'run_requested', 0, 0), (1, 'run_started', 1, 0),
    (2, 'turn_requested', 2, 0), (3, 'turn_finished', 5, 0),
    (4, 'tool_call_requested', 6, 0), (5, 'tool_call_finished', 7, 0),
    (6, 'approval_requested', 8, 1), (7, 'run_paused', 8, 1), (8, 'approval_shown', 60, 1),
    (9, 'approval_decided', 90, 1), (10, 'run_resumed', 91, 1), (11, 'approval_consumed', 91, 1),
    (12, 'turn_requested', 92, 0), (13, 'turn_finished', 95, 0),
    (14, 'tool_call_requested', 96, 0), (15, 'tool_call_finished', 98, 0),
    (16, 'turn_requested', 99, 0), (17, 'turn_finished', 104, 0),
    (18, 'outcome_recorded', 120, 2), (19, 'run_ended', 105, 0)
"""
_MODEL = "case kind % 3 when 0 then 'gpt-4.1' when 1 then 'claude-sonnet' else 'gpt-4.1-mini' end"
_TURN = "event_type like 'turn_%'"
_ANSWER = "event_type = 'turn_finished'"
_CALL = "event_type like 'tool_call_%'"
_RESULT = "event_type = 'tool_call_finished'"
_ASKED = "event_type = 'approval_requested'"
_COLUMNS = {
    "event_id": "format('{:08x}-{:04x}-7{:03x}-8000-{:012x}', ms >> 16, ms & 65535, step, number)",
    "event_type": "event_type",
    "occurred_at": "moment",
    "recorded_at": "moment",
    "writer_id": "writer",
    "seq": "row_number() over (order by moment, number, step) - 1",
    "recorded_via": "'runner'",
    "is_demo": "{is_demo}",
    "team_id": "({teams})[agent + 1]",
    "agent_id": "({agents})[agent + 1]",
    "agent_version": "1",
    "run_id": "format('{:08x}-{:04x}-7000-9000-{:012x}', run_ms >> 16, run_ms & 65535, number)",
    "actor_id": "({people})[kind % len({people}) + 1]",
    "trigger_kind": "if(event_type = 'run_requested', 'person', null)",
    "role_id": "if(event_type = 'run_requested', 'agent_user', null)",
    "content_capture": "if(event_type = 'run_requested', 'off', null)",
    "version_hash": "if(event_type in ('run_requested', 'run_started'), ({hashes})[agent + 1], null)",
    "pause_reason": "if(event_type = 'run_paused', 'approval', null)",
    "end_state": "if(event_type = 'run_ended', if(kind % 12 = 0, 'failed', 'completed'), null)",
    "machine_ns": "if(event_type = 'run_ended', 9000000000 + kind * 1000000, null)",
    "declared_event_count": "if(event_type = 'run_ended', if(kind % 10 = 1, 19, 13), null)",
    "provider_name": f"if({_TURN}, 'openai', null)",
    "requested_model": f"if({_TURN}, {_MODEL}, null)",
    "served_model": f"if({_ANSWER}, {_MODEL}, null)",
    "turn_index": f"if({_TURN}, case when step < 6 then 0 when step < 16 then 1 else 2 end, null)",
    "attempt": f"if({_TURN}, 1, null)",
    "max_output_tokens": "if(event_type = 'turn_requested', 4096, null)",
    "hold_nano_usd": "if(event_type = 'turn_requested', 40000000, null)",
    "input_tokens": f"if({_ANSWER}, 800 + kind % 3000, null)",
    "output_tokens": f"if({_ANSWER}, 60 + kind % 500, null)",
    "cache_read_tokens": f"if({_ANSWER}, kind % 400, null)",
    "is_cache_in_input": f"if({_ANSWER}, true, null)",
    "list_cost_nano_usd": f"if({_ANSWER}, 2000000 + kind * 700, null)",
    "price_version": f"if({_ANSWER}, 'genai-prices-2026.1', null)",
    "finish_reason": f"if({_ANSWER}, 'stop', null)",
    "duration_ns": f"if({_ANSWER}, 3000000000 + kind, if({_RESULT}, 900000000 + kind, null))",
    "call_index": f"if({_CALL}, if(step < 6, 0, 1), if(event_type like 'approval_%', 1, null))",
    "tool_name": f"if({_CALL} or {_ASKED}, if(step < 6, 'lookup_order', 'refund_payment'), null)",
    "tool_call_id": f"if({_CALL}, 'call_' || step // 2, null)",
    "tool_effect": "if(event_type = 'tool_call_requested', if(step < 6, 'read', 'consequential'), null)",
    "called_by": f"if({_CALL}, 'agent', null)",
    "tool_outcome": f"if({_RESULT}, if(kind % 17 = 0, 'failed', 'succeeded'), null)",
    "tool_error_class": f"if({_RESULT} and kind % 17 = 0, 'timeout', null)",
    "arguments_digest": f"if({_CALL} or {_ASKED}, md5(number || '/' || (step < 6)), null)",
    "approval_id": "if(event_type like 'approval_%', 'ap-' || ms // 100000 || '-' || number, null)",
    "approval_rule": f"if({_ASKED}, 'refund-over-100', null)",
    "approver_role": f"if({_ASKED}, 'team_manager', null)",
    "expires_at": f"if({_ASKED}, moment + interval 1 day, null)",
    "person_id": "if(event_type in ('approval_shown', 'approval_decided'), ({people})[1], null)",
    "decision": "if(event_type = 'approval_decided', if(kind % 40 = 1, 'rejected', 'approved'), null)",
    "outcome_kind": "if(event_type = 'outcome_recorded', 'user_confirmation', null)",
    "is_good": "if(event_type = 'outcome_recorded', kind % 9 > 0, null)",
    "body": "''",
    "hash": "''",
}


def declare(workspace: Workspace) -> None:
    """Write teams, people, agents and wallets, as of the day before the first."""
    moment = FIRST_DAY - dt.timedelta(days=1)

    def tell(log: LogWriter, number: int, event_type: str, **columns: Value) -> None:
        event_id = f"01000000-0000-7000-8000-{number:012x}"
        event = {"event_id": event_id, "event_type": event_type, "occurred_at": moment, **columns}
        log.append([event])

    with LogWriter(workspace, recorded_via="registry", process_name="bench", clock=lambda: moment) as log:
        for number in range(TEAMS):
            team = f"team-{number}"
            tell(log, number, "team_declared", team_id=team, team_name=team, owner_id="person-0")
            wallet: dict[str, Value] = {"wallet_id": f"team:{team}:month", "wallet_kind": "team"}
            wallet |= {"wallet_window": "month", "team_id": team, "is_unlimited": False}
            tell(log, 100 + number, "budget_set", cap_nano_usd=10**15, **wallet)
        granted: dict[str, Value] = {"role_id": "agent_user", "action": "run_agent", "grant_effect": "allow"}
        tell(log, 150, "role_granted", rule_id="grant:everyone", scope="all", **granted)
        for number in range(PEOPLE):
            person: dict[str, Value] = {
                "person_id": f"person-{number}",
                "role_id": "agent_user",
                "scope": "all",
            }
            tell(log, 200 + number, "person_declared", team_id=f"team-{number % TEAMS}", **person)
        for number in range(AGENTS):
            agent: dict[str, Value] = {"agent_id": f"agent-{number}", "team_id": f"team-{number % TEAMS}"}
            agent |= {"agent_version": 1, "version_hash": f"hash-agent-{number}", "owner_id": "person-0"}
            agent |= {"agent_name": f"Agent {number}", "requested_model": "gpt-4.1", "purpose": "Measured."}
            agent |= {"risk_class": "high" if number % 8 == 0 else "limited"}
            tell(log, 300 + number, "agent_version_declared", **agent)


def write_days(
    workspace: Workspace, first: int, count: int, events_per_day: int, cast: Cast = DECLARED
) -> int:
    """Write ``count`` days from number ``first`` on, each as a sealed segment; returns their events."""
    runs = round(events_per_day / EVENTS_PER_RUN)
    total = 0
    with duckdb.connect() as memory:
        memory.execute("set TimeZone = 'UTC'")
        for number in range(first, first + count):
            total += _write_day(memory, workspace, number, runs, cast)
    return total


def _write_day(
    memory: duckdb.DuckDBPyConnection, workspace: Workspace, number: int, runs: int, cast: Cast
) -> int:
    day = cast.first_day + dt.timedelta(days=number)
    writer = f"w{day:%Y%m%d}000000-{number:016x}"
    draft = workspace.lake_dir / f"{writer}.parquet.tmp"
    draft.parent.mkdir(parents=True, exist_ok=True)
    memory.execute(
        f"copy ({_day_sql(day, number, runs, writer, cast)}) to '{draft}' "
        "(format parquet, compression zstd, row_group_size 64000)"
    )
    (count, least, most) = memory.execute(
        f"select count(*), min(recorded_at), max(recorded_at) from read_parquet('{draft}')"
    ).fetchall()[0]
    name = f"recorded_date={day:%Y-%m-%d}/{writer}-0-{count - 1}.parquet"
    final = workspace.lake_dir / name
    final.parent.mkdir(exist_ok=True)
    draft.rename(final)
    segment = Segment(
        writer_id=writer,
        first_seq=0,
        last_seq=count - 1,
        count=count,
        prev_head="0" * 64,
        head=f"{number:064x}",
        min_recorded_at=rfc3339(least),
        max_recorded_at=rfc3339(most),
        file=name,
        file_bytes=final.stat().st_size,
        file_sha256=file_sha256(final),
        schema_version=SCHEMA_VERSION,
        is_recovered=False,
        torn_bytes=0,
        sealed_at=rfc3339(most),
    )
    Manifest(workspace).append([segment])
    return int(count)


def _day_sql(day: dt.datetime, number: int, runs: int, writer: str, cast: Cast) -> str:
    """All contract columns of one day's events, in the order in which they were recorded."""
    known = {
        "{teams}": str([one.team_id for one in cast.agents]),
        "{agents}": str([one.agent_id for one in cast.agents]),
        "{hashes}": str([one.version_hash for one in cast.agents]),
        "{people}": str(list(cast.people)),
        "{is_demo}": str(cast.is_demo),
    }
    columns = []
    for field in arrow_schema():
        made = _COLUMNS.get(field.name, "null")
        for name, text in known.items():
            made = made.replace(name, text)
        columns.append(f"cast({made} as {_TYPES[str(field.type)]}) as {field.name}")
    gap = 80_000_000_000 // runs  # runs begin in the first 22 hours: each day ends its own
    return f"""
        with steps(step, event_type, offset_s, share) as (values {_STEPS}),
        runs as (
            select range as number, cast(hash({number} * 1000000 + range) % 100000 as bigint) as kind,
                cast(hash(range) % {len(cast.agents)} as bigint) as agent,
                timestamptz '{day:%Y-%m-%d} 00:00:00+00' + to_microseconds(range * {gap}) as begun
            from range({runs})
        ),
        events as (
            select *, '{writer}' as writer, begun + to_seconds(offset_s) as moment, epoch_ms(begun) as run_ms,
                epoch_ms(begun + to_seconds(offset_s)) as ms
            from runs cross join steps
            where share = 0 or (share = 1 and kind % 10 = 1) or (share = 2 and kind % 10 = 2)
        )
        select {", ".join(columns)} from events order by moment, number, step
    """


_TYPES = {"string": "varchar", "int64": "bigint", "bool": "boolean", "timestamp[us, tz=UTC]": "timestamptz"}


def lake_bytes(workspace: Workspace) -> int:
    """Bytes of all sealed files."""
    return sum(path.stat().st_size for path in Path(workspace.lake_dir).rglob("*.parquet"))
