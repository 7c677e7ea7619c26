"""Recovery: what dead workers and silent people leave behind is closed, each with its event.

Runs of dead workers are taken over by the next worker's claim; here are the holds nobody will settle and the
requests nobody decided. Safe at any time, by anyone.
"""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING

from runner.control import approvals, journal, raises, runs, wallet
from runner.control.approvals import Request
from runner.control.journal import Call, End
from runner.control.runs import Run
from runner.control.store import Transaction, envelope
from runner.control.wallet import Swept

if TYPE_CHECKING:
    from runner.control.core import Core


def recover(control: Core) -> None:
    """Sweep expired holds, end raises, let requests lapse, relay events. Raises RelayError."""
    sweep_holds(control)
    end_raises(control)
    lapse_requests(control)
    control.relay.flush()


def sweep_holds(control: Core) -> list[Swept]:
    """Sweep the holds that have expired; their cost is unknown from now on."""
    with control.store.write() as tx:
        swept = wallet.sweep(tx)
        for run_id, holds in _by_run(swept).items():
            run = runs.find(tx.sql, run_id)
            if run is not None:
                _tell_swept(tx, run, holds)
    return swept


def end_raises(control: Core) -> int:
    """End the raises of caps whose time is over; returns how many."""
    with control.store.write() as tx:
        return raises.end_due(tx)


def close_interrupted_turns(tx: Transaction, run: Run) -> None:
    """A dead worker's model call is never answered: its holds are swept, its turn ends as interrupted."""
    _tell_swept(tx, run, wallet.sweep(tx, run_id=run.run_id))


def charge_interrupted_turns(tx: Transaction, run: Run, error_type: str) -> None:
    """A model call that was broken off may be billed: charged at its hold, its cost unknown."""
    charged = wallet.charge(tx, run.run_id)
    amounts = {(hold.turn_index, hold.attempt): hold.amount_nano_usd for hold in charged}
    runs.add_spend(tx, run.run_id, sum(amounts.values()))
    _end_turns(tx, run, charged, error_type)


def close_open_calls(tx: Transaction, run: Run, why: str) -> None:
    """Give every call without an end one: what was never started is refused, what was started is unknown."""
    for call in journal.unfinished(tx.sql, run.run_id):
        journal.finish(tx, run, call, _closing(call, why))


def _closing(call: Call, why: str) -> End:
    if call.state == "started":
        return End(outcome="unknown", result=f"No result is known: {why}.", reason=why)
    return End(outcome="refused", result=f"Not executed: {why}.", refusal_rule="run-ended", reason=why)


def lapse_requests(control: Core) -> int:
    """Let requests lapse that nobody decided in time: their runs end as expired_waiting. Returns how many."""
    with control.store.write() as tx:
        due = {one.run_id for one in approvals.waiting(tx.sql) if one.expires_at <= tx.now}
        count = 0
        for run_id in sorted(due):
            run = runs.find(tx.sql, run_id)
            if run is not None and run.status == "waiting":
                count += _lapse(tx, run)
    return count


def _lapse(tx: Transaction, run: Run) -> int:
    requests = approvals.of_run(tx.sql, run.run_id)
    waiting = [one for one in requests if one.status == "waiting"]
    for request in waiting:
        approvals.expire(tx, request)
    asked = {one.call_index: one for one in requests}
    for call in journal.unfinished(tx.sql, run.run_id):
        journal.finish(tx, run, call, _lapsed(call.state, asked.get(call.call_index)))
    runs.end(tx, run, "expired_waiting", reason="nobody decided in time")
    return len(waiting)


def _lapsed(state: str, request: Request | None) -> End:
    text = "Nobody decided in time, so the call was not executed."
    return End(
        outcome="unknown" if state == "started" else "denied",
        result=text if state != "started" else "Nobody found out in time whether the call took effect.",
        refusal_rule=request.rule_id if request else "expired",
        approval_id=request.approval_id if request else None,
        reason="nobody decided in time",
    )


def _by_run(swept: list[Swept]) -> dict[str, list[Swept]]:
    grouped: dict[str, list[Swept]] = defaultdict(list)
    for hold in swept:
        grouped[hold.run_id].append(hold)
    return grouped


def _tell_swept(tx: Transaction, run: Run, swept: list[Swept]) -> None:
    """One hold_swept per wallet, and one end per model call that nobody answered."""
    for hold in swept:
        tx.emit(
            "hold_swept",
            envelope(run),
            wallet_id=hold.wallet_id,
            swept_nano_usd=hold.amount_nano_usd,
            turn_index=hold.turn_index,
            attempt=hold.attempt,
        )
    _end_turns(tx, run, swept, "interrupted")


def _end_turns(tx: Transaction, run: Run, swept: list[Swept], error_type: str) -> None:
    turns = {(hold.turn_index, hold.attempt): hold.turn for hold in swept}
    for (turn_index, attempt), turn in turns.items():
        tx.emit(
            "turn_finished",
            {**envelope(run), **json.loads(turn)},
            turn_index=turn_index,
            attempt=attempt,
            error_type=error_type,
        )
