"""Tool calls of the demo history: the intent, the decision where a rule asks for one, and the result."""

from __future__ import annotations

import random

from app.demo import oversight, words
from app.demo.cast import Cast, Player
from app.demo.record import Record
from app.demo.story import Plan
from app.demo.weather import ERROR_CLASSES, Weather
from ingest.contract import Value
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
            "arguments_digest": words.digest(text) if text else None,
        }
        self._count += 1
        record.wait(1)
        record.tell(
            "tool_call_requested",
            columns,
            text=text,
            kind="arguments",
            turn_index=turn_index,
            tool_effect=tool.effect,
        )
        if tool.approval is not None and oversight.needs_a_person(tool.approval, given):
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
        verdict, approval_id = oversight.decide(record, gate, self._plan, self._dice)
        columns["approval_id"] = approval_id
        if verdict in ("rejected", "expired"):
            reason = "rejected by a person" if verdict == "rejected" else "nobody decided in time"
            record.tell("tool_call_finished", columns, tool_outcome="denied", reason=reason)
            if verdict == "expired":
                record.end("expired_waiting", reason=reason)
            return True
        record.tell(
            "approval_consumed",
            approval_id=approval_id,
            arguments_digest=columns["arguments_digest"],
            call_index=columns["call_index"],
            tool_name=tool_name,
        )
        return self._execute(tool_name, columns)

    def _execute(self, tool_name: str, columns: dict[str, Value]) -> bool:
        record, dice = self._record, self._dice
        has_failed = dice.random() < self._weather.failure_rate(tool_name, record.now)
        error_class = dice.choice(ERROR_CLASSES) if has_failed else None
        slow = TIMEOUT_FACTOR if error_class == "timeout" else 1.0
        duration = record.work((SHORTEST_MS + USUAL_MS * dice.lognormvariate(0.0, 0.7)) * slow)
        record.tell(
            "tool_call_finished",
            columns,
            text=words.result(tool_name, error_class),
            kind="result",
            tool_outcome="failed" if has_failed else "succeeded",
            tool_error_class=error_class,
            duration_ns=duration,
        )
        return not has_failed
