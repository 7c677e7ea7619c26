"""Our own run format: JSON lines, one run per line, in the shape of :mod:`ingest.importers.fleetbook_shape`.

A line of a run that was imported before adds what is new: steps at its end, results of calls, decisions, the
end. A step once exported stays as it is.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import msgspec

from ingest.errors import SourceError
from ingest.importers import facts
from ingest.importers.draft import RunDraft, attempt
from ingest.importers.figures import millionths, nano_usd
from ingest.importers.fleetbook_shape import (
    SCHEMA,
    Approval,
    MessageStep,
    Run,
    ToolCallStep,
    Totals,
    TurnStep,
    Verdict,
)
from ingest.importers.formats import ImportedRun, Item, Reading, Rejected
from ingest.importers.lines import read_lines
from ingest.importers.probe import Probe
from ingest.importers.source import Json, SourceFile
from ingest.importers.times import Moment, read_moment

NAME = "fleetbook"
NANOS_PER_MS = 1_000_000


class Fleetbook:
    """The importer ``fleetbook``."""

    name = NAME
    summary = "Fleetbook's own run lines (.jsonl)"

    def recognises(self, probe: Probe) -> bool:
        """Objects that name the schema."""
        if probe.kind == "object":
            return probe.has("schema", "run_id", "agent")
        return probe.kind == "lines" and any(
            isinstance(one, dict) and str(one.get("schema", "")).startswith("fleetbook.run/")
            for one in probe.records
        )

    def read(self, source: SourceFile, reading: Reading) -> Iterator[Item]:
        """Runs and rejects in file order. Raises SourceError when the file holds no line at all."""
        is_any = False
        for line in read_lines(source):
            is_any = True
            if line.problem:
                yield Rejected(position=line.number, source_run_id="", reason=line.problem, raw=line.text)
                continue
            name = line.value.get("run_id") if isinstance(line.value, dict) else None
            yield attempt(
                partial(_run, line.value, source, reading),
                raw=line.text,
                position=line.number,
                source_run_id=name if isinstance(name, str) else "",
            )
        if not is_any:
            raise SourceError(
                f"Nothing imported: {source.title} holds no line. A line is one run with schema {SCHEMA}."
            )


FORMAT = Fleetbook()


def _run(raw: Json, source: SourceFile, reading: Reading) -> ImportedRun:
    return _LineDraft(msgspec.convert(raw, type=Run), source, reading).run()


class _LineDraft:
    """One line on its way to events."""

    def __init__(self, run: Run, source: SourceFile, reading: Reading) -> None:
        self._run = run
        self._zone = reading.time_zone
        self._draft = RunDraft(
            facts.Identity(
                format_name=NAME,
                run_id=_run_id(run.agent, run.run_id),
                parent_run_id=_run_id(run.agent, run.parent_run_id) if run.parent_run_id else None,
                source_run_id=run.run_id,
                source_task_id=run.task_id,
                source_file=source.name,
                source_agent=run.agent,
                source_domain=run.domain or "",
                model=run.model or "",
                provider=run.provider,
                conversation_id=run.conversation_id,
                started=self._moment(run.started_at, "started_at"),
                carried_at=reading.imported_at,
            ),
            reading.places,
        )

    def run(self) -> ImportedRun:
        for number, step in enumerate(self._run.steps):
            where = f"steps[{number}]"
            if isinstance(step, MessageStep):
                self._draft.at(self._at(step.at, f"{where}.at"))
                self._draft.say(step.role, step.text)
            elif isinstance(step, TurnStep):
                self._turn(step, where)
            else:
                self._call(step, where)
        for number, one in enumerate(self._run.interventions):
            self._draft.at(self._at(one.at, f"interventions[{number}].at"))
            self._draft.intervention(one.kind, str(number), person_id=one.person)
        self._end()
        for number, verdict in enumerate(self._run.verdicts):
            self._verdict(verdict, number)
        return self._draft.finish()

    def _moment(self, text: str | None, where: str) -> Moment | None:
        return read_moment(text, self._zone, where) if text else None

    def _at(self, text: str | None, where: str) -> dt.datetime | None:
        return read_moment(text, self._zone, where).at if text else None

    def _turn(self, step: TurnStep, where: str) -> None:
        self._draft.turn(
            facts.Turn(
                text=step.text,
                requested_at=self._at(step.requested_at, f"{where}.requested_at"),
                finished_at=self._at(step.finished_at or step.requested_at, f"{where}.finished_at"),
                model=step.model,
                served_model=step.served_model,
                usage=facts.Usage(
                    input_tokens=step.input_tokens,
                    output_tokens=step.output_tokens,
                    cache_read_tokens=step.cache_read_tokens,
                    cache_write_tokens=step.cache_write_tokens,
                    reasoning_tokens=step.reasoning_tokens,
                    is_cache_in_input=step.is_cache_in_input,
                ),
                cost_nano_usd=nano_usd(step.cost_usd),
                duration_ns=_nanoseconds(step.duration_ms),
                finish_reason=step.finish_reason,
                error_type=step.error_type,
            )
        )

    def _call(self, step: ToolCallStep, where: str) -> None:
        self._draft.at(self._at(step.requested_at, f"{where}.requested_at"))
        index = self._draft.call(
            step.name,
            step.arguments,
            call_id=step.call_id,
            turn_index=self._draft.turn_count - 1 if self._draft.turn_count else None,
            tool_effect=step.effect,
            called_by=step.called_by,
        )
        approval_id = self._approval(step.approval, step, index, where) if step.approval else None
        if step.outcome is None:
            return
        self._draft.at(self._at(step.finished_at, f"{where}.finished_at"))
        self._draft.result(
            index,
            facts.Result(
                outcome=step.outcome,
                text=step.result,
                error_class=step.error_class or ("unclassified" if step.outcome == "failed" else None),
                error_type=step.error_type,
                duration_ns=_nanoseconds(step.duration_ms),
                approval_id=approval_id,
            ),
        )

    def _approval(self, given: Approval, step: ToolCallStep, index: int, where: str) -> str:
        digest = facts.arguments_digest(step.arguments)
        part = f"call-{index}"
        self._draft.at(self._at(given.asked_at, f"{where}.approval.asked_at"))
        asked = facts.Approval(
            part=part,
            tool_name=step.name,
            call_index=index,
            approval_rule=given.rule,
            arguments_digest=digest,
        )
        approval_id = self._draft.approval(asked)
        if given.decision is None:
            return approval_id
        approved = {
            "approved": digest,
            "approved_changed": facts.arguments_digest(given.changed_arguments),
        }
        self._draft.at(self._at(given.decided_at, f"{where}.approval.decided_at"))
        return self._draft.approval(
            replace(
                asked,
                decision=given.decision,
                decider_kind=given.decided_by or "unknown",
                person_id=given.person,
                approved_digest=approved.get(given.decision),
                reason=given.reason,
            )
        )

    def _end(self) -> None:
        edition = str(len(self._run.steps))
        totals, end = self._run.totals, self._run.end
        self._draft.counted(_counts(totals or Totals(), tuple(self._run.unstated), edition))
        if end is None:
            return
        ended_at = self._at(end.at, "end.at")
        self._draft.at(ended_at)
        self._draft.end(
            end.state,
            edition=edition,
            text=end.answer,
            error_type=end.error_type,
            reason=end.reason,
            machine_ns=_nanoseconds(end.machine_ms),
            reported_cost_nano_usd=nano_usd(end.cost_usd),
            other_side_cost_nano_usd=nano_usd(end.other_side_cost_usd),
            is_time_stated=True if ended_at and self._run.started_at is None else None,
        )

    def _verdict(self, verdict: Verdict, number: int) -> None:
        self._draft.at(self._at(verdict.at, f"verdicts[{number}].at"))
        self._draft.verdict(
            facts.Verdict(
                kind=verdict.kind,
                name=verdict.name,
                is_good=verdict.is_good,
                score_micro=millionths(verdict.score),
                reason=verdict.reason,
                person_id=verdict.person,
                part=f"{number}/{verdict.kind}/{verdict.name or ''}",
            )
        )


def _counts(totals: Totals, unstated: tuple[str, ...], edition: str) -> facts.Counts:
    return facts.Counts(
        turns=totals.turns,
        total_tokens=totals.total_tokens,
        usage=facts.Usage(
            input_tokens=totals.input_tokens,
            output_tokens=totals.output_tokens,
            cache_read_tokens=totals.cache_read_tokens,
            cache_write_tokens=totals.cache_write_tokens,
            reasoning_tokens=totals.reasoning_tokens,
        ),
        unstated=unstated,
        edition=edition,
    )


def _run_id(agent: str, run_id: str) -> str:
    """Ids are unique per agent in the sender's system; here they must be so over all senders."""
    return facts.content_id(NAME, agent, run_id)


def _nanoseconds(milliseconds: float | None) -> int | None:
    return None if milliseconds is None else round(milliseconds * NANOS_PER_MS)
