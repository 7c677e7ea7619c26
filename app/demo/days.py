"""The days of the demo history: which agents run how often, who asks, and who is refused."""

from __future__ import annotations

import datetime as dt
import math
import random
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple

from app.demo import habits
from app.demo.cast import Cast, Player, Version
from app.demo.clockwork import Clockwork, past_slot, told
from app.demo.habits import Habit
from app.demo.play import Play, Played, Request
from app.demo.record import Charge, Envelope, Record
from app.demo.story import HOURS, Plan, busyness
from ingest.contract import Value, derived_event_id
from runner.control.access import agent_target, may
from runner.control.purses import Short, purse_of, shortage
from runner.control.registry import Registry

DELEGATED_SHARE = 0.42
KEEPS_TEXTS_DAYS = 14
STRANGERS_PER_DAY = 1.6
IN_FLIGHT = dt.timedelta(hours=26)  # a run without an end counts as lost only after a day
SAME_CONVERSATION = 0.25


class Wallet(NamedTuple):
    """A capped wallet of one agent in the month in which the history ends."""

    agent_id: str
    cap_nano_usd: int


class Days:
    """Plays the days of one plan; ``wallet`` is the one that runs out, None to play without it."""

    def __init__(self, plan: Plan, registry: Registry, cast: Cast, wallet: Wallet | None = None) -> None:
        self._plan = plan
        self._registry = registry
        self._cast = cast
        self._wallet = wallet
        self._spent = 0
        self._clockwork = Clockwork(plan, registry)
        self._play = Play(plan, cast, plan.end - dt.timedelta(days=KEEPS_TEXTS_DAYS))
        self._scale = plan.runs / expected_runs(plan)

    def day(self, day: dt.date, only_team: str | None = None) -> Iterator[Played]:
        """Every run and refusal that was asked for on ``day``, of all teams or of one."""
        for player in self._cast.players.values():
            if only_team in (None, player.team_id):
                yield from self._agent_day(player, day)
        if only_team is None:
            yield from self._strangers(day)

    def _agent_day(self, player: Player, day: dt.date) -> Iterator[Played]:
        habit = player.habit
        dice = self._plan.dice(habit.agent_id, day.isoformat())
        if self._clockwork.runs(habit.agent_id):
            yield from self._clock_day(player, day, dice)
            return
        mean = habit.runs * busyness(habit.rhythm, day) * _growth(habit, self._plan, day) * self._scale
        moments = sorted(self._moment(habit, day, dice) for _ in range(_poisson(mean, dice)))
        conversations: dict[str, str] = {}
        for number, moment in enumerate(moments):
            version = player.version_at(moment)
            if version is None or moment >= self._plan.end:
                continue
            asker = self._cast.asker(player, dice)
            request = Request(
                run_id=derived_event_id(moment, "demo-run", habit.agent_id, day.isoformat(), str(number)),
                at=moment,
                actor_id=asker,
                trigger_kind="schedule" if habit.audience == "owner" else "person",
                conversation_id=_conversation(habit, asker, moment, conversations, dice),
            )
            played = self._one(player, version, request, dice)
            if self._is_over(played):
                yield played

    def _clock_day(self, player: Player, day: dt.date, dice: random.Random) -> Iterator[Played]:
        """The slots of an agent's schedules: each asked for a run, or passed without one."""
        agent_id = player.habit.agent_id
        for number, due in enumerate(self._clockwork.due(agent_id, day, dice)):
            version = player.version_at(due.slot_at)
            if version is None:
                continue
            if due.asked_at is None:
                slot = past_slot(due, agent_id, None)
                missed = told(slot, player.team_id, due.run_as)
                if missed.at < self._plan.end:
                    yield Played(happenings=[missed], charges=[], ended_at=missed.at, slot=slot)
                continue
            request = Request(
                run_id=derived_event_id(due.asked_at, "demo-run", agent_id, day.isoformat(), str(number)),
                at=due.asked_at,
                actor_id=due.run_as,
                trigger_kind="schedule",
            )
            played = self._one(player, version, request, dice)
            if due.asked_at < self._plan.end and self._is_over(played):
                slot = past_slot(due, agent_id, request.run_id)
                fired = told(slot, player.team_id, due.run_as)
                yield replace(played, happenings=[fired, *played.happenings], slot=slot)

    def _one(self, player: Player, version: Version, request: Request, dice: random.Random) -> Played:
        played = self._play.run(player, version, request, dice)
        wallet = self._wallet
        if wallet is None or wallet.agent_id != player.habit.agent_id:
            return played
        cost = sum(charge.nano_usd for charge in played.charges if charge.at >= self._plan.month_start)
        worst = version.card.cost_nano_usd(player.habit.prompt_tokens, 0, version.max_output_tokens) or 0
        need = max(cost, worst)
        if cost and self._spent + need > wallet.cap_nano_usd:
            return self._out_of_money(player, version, request, wallet, need)
        if self._is_over(played):
            self._spent += cost
        return played

    def _is_over(self, played: Played) -> bool:
        """True when the run lies wholly in the history; what is in flight at its end is left out."""
        ends = ("run_ended", "run_refused")
        has_end = any(happening.event["event_type"] in ends for happening in played.happenings)
        limit = self._plan.end if has_end else self._plan.end - IN_FLIGHT
        return played.ended_at < limit

    def _moment(self, habit: Habit, day: dt.date, dice: random.Random) -> dt.datetime:
        hours = HOURS[habit.rhythm]
        hour = dice.choices(list(hours), list(hours.values()))[0]
        return self._plan.at(day, hour, round(dice.uniform(0, 3600), 3))

    # Refusals

    def _strangers(self, day: dt.date) -> Iterator[Played]:
        """People who try an agent that is not theirs; the access rules of the registry answer them."""
        dice = self._plan.dice("strangers", day.isoformat())
        for number in range(_poisson(STRANGERS_PER_DAY * busyness("office", day), dice)):
            player = self._cast.players[dice.choice(list(self._cast.players))]
            person_id = self._cast.stranger(player, dice)
            moment = self._plan.at(day, dice.randint(8, 17), round(dice.uniform(0, 3600), 3))
            target = agent_target(self._registry, player.habit.agent_id)
            ruling = may(self._registry, person_id, "run_agent", target)
            version = player.version_at(moment)
            if ruling.allowed or version is None or moment >= self._plan.end:
                continue
            run_id = derived_event_id(moment, "demo-refused", day.isoformat(), str(number))
            request = Request(run_id=run_id, at=moment, actor_id=person_id, trigger_kind="person")
            yield self._refused(player, version, request, ruling.rule_id, ruling.sentence)

    def _out_of_money(
        self, player: Player, version: Version, request: Request, wallet: Wallet, need: int
    ) -> Played:
        """The wallet gate's own words: the history refuses as the control plane would have."""
        wallet_id = f"agent:{wallet.agent_id}:month"
        budget = next(budget for budget in self._registry.budgets if budget.wallet_id == wallet_id)
        short = Short(
            purse=purse_of(self._registry, budget, request.at),
            cap_nano_usd=wallet.cap_nano_usd,
            spent_nano_usd=self._spent,
            held_nano_usd=0,
        )
        reason, _ = shortage(short, need, self._plan.time_zone)
        return self._refused(player, version, request, f"wallet:{wallet_id}", reason, wallet_id)

    def _refused(
        self,
        player: Player,
        version: Version,
        request: Request,
        rule: str,
        reason: str,
        wallet_id: str | None = None,
    ) -> Played:
        envelope = Envelope(
            run_id=request.run_id,
            agent_id=player.habit.agent_id,
            agent_version=version.agent_version,
            team_id=player.team_id,
            actor_id=request.actor_id,
        )
        record = Record(envelope, request.at, keeps_texts=False)
        columns: dict[str, Value] = {
            "trigger_kind": request.trigger_kind,
            "role_id": self._cast.role_of(request.actor_id),
        }
        record.tell("run_requested", columns, version_hash=version.version_hash)
        record.tell("run_refused", columns, refusal_rule=rule, reason=reason, wallet_id=wallet_id)
        return Played(happenings=record.happenings, charges=[], ended_at=record.now)


def expected_runs(plan: Plan) -> float:
    """Runs to expect when every habit is taken as it stands, delegated ones included."""
    from app.demo.fleet import FLEET

    total = 0.0
    for habit in FLEET:
        first = plan.moment(habit.past[0].since).date()
        delegated = 1 + (DELEGATED_SHARE if habit.agent_id == habits.DELEGATING else 0)
        for day in plan.days:
            if day >= first:
                total += habit.runs * busyness(habit.rhythm, day) * _growth(habit, plan, day) * delegated
    return total


def spend_by_wallet(charges: Mapping[str, int], registry: Registry) -> dict[str, int]:
    """Nano-USD per declared wallet (``team:…:month``, ``agent:…:month``) from nano-USD per agent."""
    spent: dict[str, int] = defaultdict(int)
    for agent_id, nano_usd in charges.items():
        spent[f"agent:{agent_id}:month"] += nano_usd
        spent[f"team:{registry.agents[agent_id].team}:month"] += nano_usd
    return {budget.wallet_id: spent.get(budget.wallet_id, 0) for budget in registry.budgets}


def of_last_month(charges: list[Charge], plan: Plan) -> dict[str, int]:
    """Nano-USD per agent of the charges in the month in which the history ends."""
    spent: dict[str, int] = defaultdict(int)
    for charge in charges:
        if charge.at >= plan.month_start:
            spent[charge.agent_id] += charge.nano_usd
    return spent


def _growth(habit: Habit, plan: Plan, day: dt.date) -> float:
    return 1 + habit.growth * (plan.share(plan.at(day, 12)) - 0.5)


def _conversation(
    habit: Habit, asker: str, moment: dt.datetime, known: dict[str, str], dice: random.Random
) -> str | None:
    """Chats with the helpdesk: some requests go on with the asker's last conversation of the day."""
    if habit.agent_id != habits.UNCONFIRMED:
        return None
    if asker not in known or dice.random() >= SAME_CONVERSATION:
        known[asker] = derived_event_id(moment, "demo-conversation", asker)
    return known[asker]


def _poisson(mean: float, dice: random.Random) -> int:
    """A Poisson number (Knuth); means here stay below 300."""
    limit, product, count = math.exp(-mean), dice.random(), 0
    while product > limit:
        product *= dice.random()
        count += 1
    return count
