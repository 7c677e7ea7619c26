"""One run of the demo history, from request to end, and what people said after it."""

from __future__ import annotations

import datetime as dt
import random
from dataclasses import dataclass
from typing import Literal, TypeAlias

from app.demo import habits, words
from app.demo.calls import Calls
from app.demo.cast import Cast, Player, Version
from app.demo.record import Charge, Envelope, Happening, Record
from app.demo.story import Plan
from app.demo.turns import Turns
from app.demo.weather import Weather
from ingest.contract import derived_event_id
from runner.control.slot_history import PastSlot

Fate: TypeAlias = Literal["clean", "failed", "intervened", "cancelled", "lost"]
FATES: tuple[Fate, ...] = ("failed", "intervened", "cancelled", "lost")
FATE_WEIGHTS = (50, 37, 12.3, 0.7)
RUN_ERRORS = ("UnexpectedModelBehavior", "TurnLimitReached")
INTERVENTIONS = ("corrected", "corrected", "corrected", "rerun", "took_over")
RETRIED = 0.6  # share of failed calls that the agent tries once more
GIVES_UP = 0.5  # share of runs that end when a call stays failed
# What employees answered when the helpdesk asked "did this help?": most did not answer, few said yes.
CONFIRMED, DENIED = 0.06, 0.38


@dataclass(frozen=True, kw_only=True)
class Request:
    """One request for a run."""

    run_id: str
    at: dt.datetime
    actor_id: str
    trigger_kind: str
    parent_run_id: str | None = None
    conversation_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class Played:
    """A finished run of the history: its events in order, its charges, and the runs it delegated.

    ``slot`` is that of a schedule, which asked for the run or passed without one.
    """

    happenings: list[Happening]
    charges: list[Charge]
    ended_at: dt.datetime
    delegated: int = 0
    slot: PastSlot | None = None


class Play:
    """Plays runs of one plan: everybody and everything it needs to know about the company."""

    def __init__(self, plan: Plan, cast: Cast, keeps_texts_from: dt.datetime) -> None:
        self.plan = plan
        self.cast = cast
        self.weather = Weather(plan)
        self.keeps_texts_from = keeps_texts_from

    def run(self, player: Player, version: Version, request: Request, dice: random.Random) -> Played:
        """Play one run to its end."""
        return _Run(self, player, version, request, dice).play()


class _Run:
    """The state of one run while it is played."""

    def __init__(
        self, play: Play, player: Player, version: Version, request: Request, dice: random.Random
    ) -> None:
        self._play = play
        self._player = player
        self._version = version
        self._request = request
        self._dice = dice
        self._fate = _fate(version.past.clean, dice)
        self._stops_after = dice.randrange(len(player.habit.steps) + 1)
        self._children: list[Played] = []
        envelope = Envelope(
            run_id=request.run_id,
            agent_id=player.habit.agent_id,
            agent_version=version.agent_version,
            team_id=player.team_id,
            actor_id=request.actor_id,
            parent_run_id=request.parent_run_id,
            conversation_id=request.conversation_id,
        )
        record = Record(envelope, request.at, keeps_texts=request.at >= play.keeps_texts_from)
        self._record = record
        self._turns = Turns(record, player.habit, version, play.weather, dice)
        self._calls = Calls(record, player, play.plan, play.cast, play.weather, dice)

    def play(self) -> Played:
        self._begin()
        self._middle()
        happenings, charges = list(self._record.happenings), list(self._turns.charges)
        for child in self._children:
            happenings += child.happenings
            charges += child.charges
        return Played(
            happenings=happenings,
            charges=charges,
            ended_at=max(happening.at for happening in happenings),
            delegated=len(self._children),
        )

    def _begin(self) -> None:
        request, record = self._request, self._record
        task = ""
        if record.keeps_texts:
            task = words.task(self._player.habit.agent_id, self._player.name, self._dice)
        record.tell(
            "run_requested",
            text=task,
            kind="task",
            trigger_kind=request.trigger_kind,
            role_id=self._play.cast.role_of(request.actor_id),
            version_hash=self._version.version_hash,
        )
        record.wait(180 + 900 * self._dice.random())
        record.tell("run_started", version_hash=self._version.version_hash)

    def _middle(self) -> None:
        for position, tools in enumerate((*self._player.habit.steps, ())):
            if not self._turns.take(is_last=not tools):
                self._record.end("failed", error_type="ModelServerError")
                return
            if position == self._stops_after and self._stop():
                return
            if not self._tools(tools):
                return
            if position == 0 and self._player.habit.agent_id == habits.DELEGATING:
                self._delegate()
        self._record.end("completed", text=words.answer(self._dice) if self._record.keeps_texts else "")
        self._afterwards()

    def _stop(self) -> bool:
        """True when the run stops here by its fate."""
        if self._fate == "cancelled":
            self._record.wait(4000)
            self._record.end("cancelled", reason="cancelled by the person who asked")
        if self._fate == "failed":
            self._record.end("failed", error_type=self._dice.choice(RUN_ERRORS))
        return self._fate in ("lost", "cancelled", "failed")

    def _tools(self, tools: tuple[str, ...]) -> bool:
        """The calls of one turn; False when the run ended in them."""
        failed = []
        for tool in tools:
            if not self._calls.make(tool, self._turns.count - 1):
                failed.append(tool)
            if self._record.has_ended:
                return False
        return all(self._try_again(tool) for tool in failed)

    def _try_again(self, tool: str) -> bool:
        """Often a failed call is tried once more; if it stays failed the run may end: then False."""
        if self._dice.random() < RETRIED:
            if not self._turns.take(is_last=False):
                self._record.end("failed", error_type="ModelServerError")
                return False
            if self._calls.make(tool, self._turns.count - 1):
                return not self._record.has_ended
        if self._dice.random() < GIVES_UP:
            self._record.end("failed", error_type="UnexpectedModelBehavior")
            return False
        return True

    def _delegate(self) -> None:
        """Ask the company profiler; the run goes on when the profile is there."""
        if self._dice.random() >= 0.42:
            return
        helper = self._play.cast.players[habits.DELEGATE]
        version = helper.version_at(self._record.now)
        if version is None:
            return
        run_id = derived_event_id(self._record.now, "demo-child", self._request.run_id)
        request = Request(
            run_id=run_id,
            at=self._record.now,
            actor_id=self._request.actor_id,
            trigger_kind="delegate",
            parent_run_id=self._request.run_id,
        )
        child = self._play.run(helper, version, request, self._play.plan.dice("child", run_id))
        self._children.append(child)
        self._record.work((child.ended_at - self._record.now).total_seconds() * 1000)

    def _afterwards(self) -> None:
        """What people said and did after a completed run."""
        record, dice = self._record, self._dice
        record.wait(60_000 * (1 + 30 * dice.random()))
        asker = self._request.actor_id
        if self._fate == "intervened":
            record.tell(
                "intervention_recorded",
                intervention_kind=dice.choice(INTERVENTIONS),
                person_id=asker,
                reason=dice.choice(words.CORRECTIONS),
            )
        if self._player.habit.agent_id == habits.UNCONFIRMED:
            self._confirm(asker)
        elif dice.random() < self._player.habit.rated:
            stars = dice.choices(
                (5, 4, 3, 2, 1), (10, 9, 3, 1, 1) if self._fate == "clean" else (1, 2, 4, 5, 4)
            )[0]
            record.tell(
                "outcome_recorded",
                outcome_kind="user_rating",
                is_good=stars >= 4,
                score_micro=stars * 200_000,
                person_id=asker,
            )

    def _confirm(self, asker: str) -> None:
        roll = self._dice.random()
        if roll < CONFIRMED + DENIED:
            self._record.tell(
                "outcome_recorded",
                outcome_kind="user_confirmation",
                is_good=roll < CONFIRMED,
                person_id=asker,
            )


def _fate(clean: float, dice: random.Random) -> Fate:
    return "clean" if dice.random() < clean else dice.choices(FATES, FATE_WEIGHTS)[0]
