"""Tool calls of the demo history: the intent, the decision where a rule asks for one, and the result."""

from __future__ import annotations

import random

from app.demo import oversight, words
from app.demo.cast import Cast, Player
from app.demo.record import Record
from app.demo.story import Plan
from app.demo.weather import ERROR_CLASSES, ERROR_TYPES, Weather
from ingest.contract import Value
from runner.control.approvals import needs_person
from runner.control.registry import ApprovalRule

USUAL_MS, SHORTEST_MS = 240, 70
TIMEOUT_FACTOR = 9.0  # a call that timed out took that much longer


class Calls:
    """The tool calls of one run, numbered from 0."""

    def __init__(
        self, record: Record, player: Player, plan: Plan, cast: Cast, weather: Weather, dice: random.Random
    ) -> None:
        self._record = record
        self._player = player
        self._plan = plan
        self._cast = cast
        self._weather = weather
        self._dice = dice
        self._count = 0

    def make(self, tool_name: str, turn_index: int) -> bool:
        """One call; False when it failed (a denied call did not). An expired request ends the run."""
        record, tool = self._record, self._player.tools[tool_name]
        needs_text = record.keeps_texts or tool.approval is not None
        given = words.arguments(tool_name, self._dice) if needs_text else {}
        text = words.as_json(given) if given else ""
        columns: dict[str, Value] = {
            "call_index": self._count,
            "tool_call_id": f"call_{self._count + 1}",
            "tool_name": tool_name,
            "called_by": "agent",
            # of a text that is not kept there is a digest all the same
            "arguments_digest": words.digest(text or f"{record.envelope.run_id}/{self._count}"),
        }
        is_gated = tool.approval is not None and needs_person(tool.approval, dict(given))
        self._count += 1
        record.wait(1)
        record.tell(
            "tool_call_requested",
            columns,
            text=text,
            kind="arguments",
            turn_index=turn_index,
            tool_effect=tool.effect,
            is_approval_needed=is_gated if tool.approval else None,
        )
        if tool.approval is not None and is_gated:
            return self._gated(tool_name, tool.approval, given, columns)
        return self._execute(tool_name, columns)

    def _gated(
        self, tool_name: str, rule: ApprovalRule, given: words.Arguments, columns: dict[str, Value]
    ) -> bool:
        record = self._record
        reviewer = self._cast.reviewer(rule.approver_role, self._player.team_id, record.envelope.actor_id)
        gate = oversight.Gate(
            rule=rule,
            call_index=self._count - 1,
            tool_name=tool_name,
            arguments=given,
            reviewer=reviewer,
        )
        ruled = oversight.decide(record, gate, self._plan, self._dice)
        columns["approval_id"] = ruled.approval_id
        if ruled.verdict in ("rejected", "expired"):
            columns["refusal_rule"] = rule.id
            record.tell("tool_call_finished", columns, tool_outcome="denied", reason=ruled.reason)
            if ruled.verdict == "expired":
                record.end("expired_waiting", reason=ruled.reason)
            return True
        columns["arguments_digest"] = ruled.approved_digest
        record.tell(
            "approval_consumed",
            approval_id=ruled.approval_id,
            arguments_digest=ruled.approved_digest,
            call_index=columns["call_index"],
            tool_name=tool_name,
        )
        return self._execute(tool_name, columns)

    def _execute(self, tool_name: str, columns: dict[str, Value]) -> bool:
        record, dice = self._record, self._dice
        has_failed = dice.random() < self._weather.failure_rate(tool_name, record.now)
        # A consequential call that timed out would wait for a person; here the other side failed.
        is_consequential = self._player.tools[tool_name].effect == "consequential"
        classes = ERROR_CLASSES[:1] if is_consequential else ERROR_CLASSES
        error_class = dice.choice(classes) if has_failed else None
        slow = TIMEOUT_FACTOR if error_class == "timeout" else 1.0
        duration = record.work((SHORTEST_MS + USUAL_MS * dice.lognormvariate(0.0, 0.7)) * slow)
        record.tell(
            "tool_call_finished",
            columns,
            text=words.result(tool_name, error_class),
            kind="result",
            tool_outcome="failed" if has_failed else "succeeded",
            tool_error_class=error_class,
            error_type=ERROR_TYPES[error_class] if error_class else None,
            duration_ns=duration,
        )
        return not has_failed
