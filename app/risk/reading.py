"""Findings from texts: they are read when the check looks, and only kinds and places leave this module."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import polars as pl

from app.risk import texts
from app.risk.rules import Injection, Rules
from app.risk.texts import Orders, Place
from ingest.errors import PayloadLocked
from ingest.reader import payload_texts
from ingest.workspace import Workspace
from runner.control.risk_findings import RiskFinding

_AT_ONCE = 5_000  # texts; at 20 kB each that is 100 MB
_NAMED = 20

Calls = Callable[[str], pl.DataFrame]


@dataclass(kw_only=True)
class Read:
    """What was read: findings, how many texts of each sort, and how many could not be."""

    findings: list[RiskFinding] = field(default_factory=list)
    outputs: int = 0
    results: int = 0
    unread: int = 0
    is_locked: bool = False


def read_texts(workspace: Workspace, asked: pl.DataFrame, rules: Rules, calls_of: Calls) -> Read:
    """Read the texts of ``asked`` (see the question risk_texts) run by run.

    ``calls_of`` gives the tool calls of a run. Raises SegmentError for a text that was changed.
    """
    done = Read()
    runs: dict[str, _Run] = {}
    for chunk in asked.iter_slices(_AT_ONCE):
        found = _texts(workspace, chunk["payload_id"].unique(maintain_order=True).to_list(), done)
        for row in chunk.iter_rows(named=True):
            text = found.get(row["payload_id"])
            if text is None:
                done.unread += 1
                continue
            run = runs.setdefault(row["run_id"], _Run(row["run_id"], row["agent_id"], row["team_id"]))
            _look(run, row, text, rules, done)
    for run in runs.values():
        done.findings += _outputs(run, rules)
        if run.orders:
            done.findings.append(_injected(run, calls_of(run.run_id), rules.injection))
    return done


@dataclass
class _Run:
    """What stands in the texts of one run."""

    run_id: str
    agent_id: str | None
    team_id: str | None
    secrets: dict[str, list[Place]] = field(default_factory=dict)
    personal: dict[str, dict[str, list[Place]]] = field(default_factory=dict)
    orders: list[tuple[int, str, Orders]] = field(default_factory=list)


def _texts(workspace: Workspace, ids: list[str], done: Read) -> Mapping[str, str | None]:
    try:
        return payload_texts(workspace, ids)
    except PayloadLocked:
        done.is_locked = True
        return {}


def _look(run: _Run, row: Mapping[str, object], text: str, rules: Rules, done: Read) -> None:
    payload_id = str(row["payload_id"])
    if row["kind"] == "result":
        done.results += 1
        found = texts.orders(text, rules.injection)
        if found.score >= rules.injection.threshold:
            run.orders.append((int(str(row["place"])), payload_id, found))
        return
    done.outputs += 1
    places = [one for one in texts.secrets(text) if one.kind not in rules.secrets.kinds]
    if places:
        run.secrets[payload_id] = places
    for kind, ones in texts.personal_data(text).items():
        if len(ones) >= rules.personal_data.get(kind, 1):
            run.personal.setdefault(payload_id, {})[kind] = ones


def _outputs(run: _Run, rules: Rules) -> Iterator[RiskFinding]:
    if run.secrets:
        kinds = sorted({place.kind for places in run.secrets.values() for place in places})
        count = sum(len(places) for places in run.secrets.values())
        yield _finding(
            run, "secret_in_text", "high", f"wrote {count} secrets ({', '.join(kinds)})", run.secrets
        )
    if run.personal:
        flat = {name: [one for ones in by.values() for one in ones] for name, by in run.personal.items()}
        counts = {
            kind: max(len(kinds.get(kind, ())) for kinds in run.personal.values())
            for kind in rules.personal_data
        }
        told = ", ".join(f"{count} of kind {kind}" for kind, count in counts.items() if count)
        severity = "high" if counts.get("card") or counts.get("iban") else "medium"
        yield _finding(
            run, "personal_data_in_text", severity, f"wrote personal data in one text: {told}", flat
        )


def _injected(run: _Run, calls: pl.DataFrame, rules: Injection) -> RiskFinding:
    """The gravest thing that the run did after a tool result that gives orders."""
    first = min(place for place, _, _ in run.orders)
    later = calls.filter(
        (pl.col("call_index") > first)
        & pl.col("is_executed")
        & (pl.col("called_by").fill_null("agent") == "agent")
    )
    severe = later.filter(pl.col("tool_effect").is_in(rules.critical_effects))
    grave = later.filter(pl.col("tool_effect").is_in(rules.high_effects) | pl.col("tool_effect").is_null())
    signs = sorted({place.kind for _, _, found in run.orders for place in found.places})
    said = f"a tool result gives orders ({', '.join(signs)})"
    places = {payload_id: list(found.places) for _, payload_id, found in run.orders}
    if severe.is_empty() and grave.is_empty():
        return _finding(run, "injection_seen", "medium", f"{said}; nothing was changed after it", places)
    after = severe if not severe.is_empty() else grave
    names = ", ".join(sorted(set(after["tool_name"])))
    severity = "critical" if not severe.is_empty() else "high"
    return _finding(
        run,
        "injection_followed",
        severity,
        f"{said}; after it the agent called {names}",
        places,
        tuple(f"{run.run_id}:{index}" for index in after["call_index"].head(_NAMED)),
    )


def _finding(
    run: _Run,
    kind: str,
    severity: str,
    reason: str,
    places: Mapping[str, list[Place]],
    evidence: tuple[str, ...] = (),
) -> RiskFinding:
    told = [f"{payload_id} {place}" for payload_id, ones in places.items() for place in ones]
    return RiskFinding(
        finding_id=f"{kind} {run.run_id}",
        risk_kind=kind,
        severity=severity,
        agent_id=run.agent_id,
        team_id=run.team_id,
        run_id=run.run_id,
        person_id=None,
        reason=reason,
        evidence=(run.run_id, *list(places)[:_NAMED], *evidence),
        places=tuple(told[:_NAMED]),
    )
