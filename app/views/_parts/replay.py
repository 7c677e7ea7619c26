"""One run as steps: intents paired with results, facts in words, and the place on the timeline."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from app.labels import count, duration, money, plural, words
from app.views._parts import event_cells as cells
from app.views._parts.event_cells import Event

NameOf = Callable[[object], str]
Lane = Literal["people", "model", "tools", "waiting"]
LANES: tuple[Lane, ...] = ("people", "model", "tools", "waiting")
_VERDICTS = {"approved_changed": "approved with changes"}


@dataclass(frozen=True, kw_only=True)
class Text:
    """One text of a step and what it is; ``content`` is None when it may not be read or is not kept.

    ``is_unkept`` says that it was never kept, because the agent or the team declares so, ``is_locked`` that
    it is encrypted with a key that is not at hand.
    """

    heading: str
    content: str | None
    is_unkept: bool = False
    is_locked: bool = False


@dataclass(frozen=True, kw_only=True)
class Step:
    """One thing that happened: its facts (label and value), its texts, and its place on the timeline.

    ``active_from`` is when the work itself began (a call after its approval); ``ended_at`` is None while
    the result is missing; ``is_bad`` marks failures and refusals.
    """

    icon: str
    title: str
    lane: Lane
    started_at: dt.datetime
    active_from: dt.datetime
    ended_at: dt.datetime | None
    facts: tuple[tuple[str, str], ...] = ()
    texts: tuple[Text, ...] = ()
    is_bad: bool = False


def steps(events: Sequence[Event], name_of: NameOf) -> list[Step]:
    """The steps of a run in order of their start; ``name_of`` turns a person id into a name."""
    groups: dict[tuple[object, ...], list[Event]] = {}
    pauses = 0
    for event in events:
        pauses += event["event_type"] == "run_paused"
        groups.setdefault(_group(event, pauses), []).append(event)
    made = [_MAKERS[str(key[0])](group, name_of) for key, group in groups.items() if key[0] in _MAKERS]
    return sorted(made, key=lambda step: step.started_at)


def _group(event: Event, pauses: int) -> tuple[object, ...]:
    kind = str(event["event_type"])
    if kind.startswith("turn_"):
        return ("turn", event.get("turn_index"), event.get("attempt"))
    if kind.startswith("tool_call_"):
        return ("call", event.get("call_index"))
    if kind.startswith("approval_"):
        return ("approval", event.get("approval_id"))
    if kind == "run_paused" or (kind == "run_resumed" and pauses):
        return ("wait", pauses)
    return (kind, event["event_id"])


def _turn(events: list[Event], name_of: NameOf) -> Step:
    asked, ended = cells.first(events, "turn_requested"), cells.first(events, "turn_finished")
    known = cells.merged(asked, ended)
    number = cells.whole(known, "turn_index")
    attempt = cells.whole(known, "attempt") or 1
    requested, served = known.get("requested_model"), known.get("served_model")
    facts = [
        ("model", str(requested) if served in (None, requested) else f"{requested} asked, {served} answered"),
        (
            "tokens in · out",
            f"{count(cells.whole(known, 'input_tokens'))} · {count(cells.whole(known, 'output_tokens'))}",
        ),
        ("held", "" if (held := cells.usd(asked, "hold_nano_usd")) is None else money(held)),
        ("cost", money(cells.usd(ended, "list_cost_nano_usd", "reported_cost_nano_usd"))),
        ("took", duration(cells.took_ms(ended, asked))),
        ("stopped because", words(str(known["finish_reason"])) if known.get("finish_reason") else ""),
        ("error", str(known.get("error_type") or "")),
    ]
    retry = f", attempt {attempt}" if attempt > 1 else ""
    return _step(
        ":material/neurology:",
        f"Turn {'?' if number is None else number + 1}{retry}",
        "model",
        events,
        ended,
        facts if ended else [facts[0], facts[2], ("result", "none yet")],
        [("Answer", ended)],
        is_bad=bool(known.get("error_type")),
    )


def _call(events: list[Event], name_of: NameOf) -> Step:
    asked, ended = cells.first(events, "tool_call_requested"), cells.first(events, "tool_call_finished")
    known = cells.merged(asked, ended)
    outcome = str(known.get("tool_outcome") or "none yet")
    error = " · ".join(words(str(known[n])) for n in ("tool_error_class", "error_type") if known.get(n))
    facts = [
        ("effect", words(str(known.get("tool_effect") or ""))),
        ("result", words(outcome)),
        ("error", error),
        ("refused by rule", str(known.get("refusal_rule") or "")),
        ("reason", str(known.get("reason") or "")),
        ("took", duration(cells.took_ms(ended, asked)) if ended else ""),
        ("delegated to run", str(known.get("delegate_run_id") or "")),
        ("called by", "the simulated user" if known.get("called_by") == "user" else ""),
    ]
    return _step(
        ":material/build:",
        f"Tool {known.get('tool_name')}",
        "tools",
        events,
        ended,
        facts,
        [("Arguments", asked), ("Result", ended)],
        is_bad=outcome not in ("succeeded", "none yet"),
        active_from=_begun(ended),
    )


def _approval(events: list[Event], name_of: NameOf) -> Step:
    asked, decided = cells.first(events, "approval_requested"), cells.first(events, "approval_decided")
    shown, expired = cells.first(events, "approval_shown"), cells.first(events, "approval_expired")
    used = cells.first(events, "approval_consumed")
    known = cells.merged(asked, decided)
    answer = str(decided["decision"]) if decided else "expired" if expired else "waiting"
    verdict = _VERDICTS.get(answer, words(answer))
    facts = [
        ("rule", str(known.get("approval_rule") or "")),
        ("decided by", name_of(decided.get("person_id")) if decided else ""),
        ("may decide", words(str(known.get("approver_role") or ""))),
        (
            "at stake",
            money(stake) if (stake := cells.usd(asked, "money_at_stake_nano_usd")) is not None else "",
        ),
        (
            "first shown",
            f"{duration(cells.between_ms(asked, shown))} after it was asked" if asked and shown else "",
        ),
        (
            "decided",
            f"{duration(cells.between_ms(shown, decided))} after it was shown" if shown and decided else "",
        ),
        ("reason", str(known.get("reason") or "")),
        ("used", "yes, once" if used else ""),
    ]
    return _step(
        ":material/approval:",
        f"Approval: {verdict}",
        "people",
        events,
        decided or expired,
        facts,
        [("Changed arguments", decided)] if decided and decided["decision"] == "approved_changed" else [],
        is_bad=verdict in ("rejected", "expired"),
        active_from=cells.at(shown) if shown else None,
    )


def _wait(events: list[Event], name_of: NameOf) -> Step:
    paused, resumed = cells.first(events, "run_paused"), cells.first(events, "run_resumed")
    why = {
        "approval": "for a person's decision",
        "budget": "for money in the wallet",
        "unknown_outcome": "for a person: the result of a tool call is unknown",
        "delegate": "for a delegate",
    }.get(str((paused or {}).get("pause_reason")), "")
    facts = [
        ("waited", duration(cells.between_ms(paused, resumed)) if paused and resumed else "still waiting")
    ]
    return _step(":material/pause_circle:", f"Waiting {why}".rstrip(), "waiting", events, resumed, facts, [])


def _asked(events: list[Event], name_of: NameOf) -> Step:
    event = events[0]
    trigger = {
        "person": "a person",
        "schedule": "a schedule",
        "delegate": "another run",
        "api": "a program",
        "import": "an import",
    }
    facts = [
        ("started by", trigger.get(str(event.get("trigger_kind")), "")),
        ("on behalf of", name_of(event["actor_id"]) if event.get("actor_id") else ""),
        ("as", words(str(event.get("role_id") or ""))),
        ("source file", str(event.get("source_file") or "")),
        ("id at the source", str(event.get("source_run_id") or "")),
    ]
    return _step(":material/flag:", "Asked", "people", events, event, facts, [("Task", event)])


def _refused(events: list[Event], name_of: NameOf) -> Step:
    event = events[0]
    facts = [("rule", str(event.get("refusal_rule"))), ("reason", str(event.get("reason")))]
    return _step(":material/block:", "Refused", "people", events, event, facts, [], is_bad=True)


def _passed_over(events: list[Event], name_of: NameOf) -> Step:
    event = events[0]
    facts = [("rule", str(event.get("refusal_rule"))), ("reason", str(event.get("reason")))]
    title = f"Model {event.get('requested_model')} passed over"
    return _step(":material/skip_next:", title, "model", events, event, facts, [], is_bad=True)


def _message(events: list[Event], name_of: NameOf) -> Step:
    event = events[0]
    who = {"user": "User", "assistant": "Agent", "system": "System"}.get(
        str(event.get("message_role")), "Message"
    )
    lane: Lane = "model" if who == "Agent" else "people"
    return _step(":material/chat:", f"{who} message", lane, events, event, [], [("", event)])


def _verdict(events: list[Event], name_of: NameOf) -> Step:
    event = events[0]
    good = {True: "good", False: "not good"}.get(bool(event["is_good"]), "") if "is_good" in event else ""
    score = cells.whole(event, "score_micro")
    facts = [
        ("verdict", good),
        ("score", "" if score is None else f"{score / 1_000_000:g}"),
        ("by", name_of(event["person_id"]) if event.get("person_id") else words(str(event["outcome_kind"]))),
    ]
    return _step(
        ":material/fact_check:", "Verdict", "people", events, event, facts, [], is_bad=good == "not good"
    )


def _intervened(events: list[Event], name_of: NameOf) -> Step:
    event = events[0]
    facts = [
        ("what", words(str(event.get("intervention_kind")))),
        ("by", name_of(event.get("person_id"))),
        ("reason", str(event.get("reason") or "")),
    ]
    return _step(":material/back_hand:", "Intervention", "people", events, event, facts, [])


def _knowledge(events: list[Event], name_of: NameOf) -> Step:
    """A passage that was found for the run, or a source that it was refused."""
    event = events[0]
    is_refused = event["event_type"] == "knowledge_refused"
    facts = [
        ("document", str(event.get("document") or "")),
        ("rank", str(event.get("chunk_rank") or "")),
        ("sensitivity", words(str(event.get("sensitivity") or ""))),
        ("allowed by", str(event.get("rule_id") or "")),
        ("refused by rule", str(event.get("refusal_rule") or "")),
        ("reason", str(event.get("reason") or "")),
    ]
    title = f"Knowledge {event.get('knowledge_source')}"
    texts = [("Passage", event)]
    return _step(":material/menu_book:", title, "tools", events, event, facts, texts, is_bad=is_refused)


def _ended(events: list[Event], name_of: NameOf) -> Step:
    event = events[0]
    state = str(event.get("end_state"))
    declared = cells.whole(event, "declared_event_count")
    facts = [
        ("state", words(state)),
        ("error", str(event.get("error_type") or "")),
        ("reason", str(event.get("reason") or "")),
        ("machine time", duration(cells.milliseconds(event, "machine_ns"))),
        ("recorder says", "" if declared is None else plural(declared, "event")),
        ("source says", words(str(event.get("source_end_reason") or ""))),
    ]
    is_bad = state != "completed"
    return _step(
        ":material/stop_circle:", "Ended", "people", events, event, facts, [("Answer", event)], is_bad=is_bad
    )


_MAKERS: dict[str, Callable[[list[Event], NameOf], Step]] = {
    "run_requested": _asked,
    "run_refused": _refused,
    "turn": _turn,
    "model_skipped": _passed_over,
    "call": _call,
    "approval": _approval,
    "wait": _wait,
    "knowledge_retrieved": _knowledge,
    "knowledge_refused": _knowledge,
    "message_recorded": _message,
    "outcome_recorded": _verdict,
    "intervention_recorded": _intervened,
    "run_ended": _ended,
}


def _step(
    icon: str,
    title: str,
    lane: Lane,
    events: Sequence[Event],
    last: Event | None,
    facts: Sequence[tuple[str, str]],
    texts: Sequence[tuple[str, Event | None]],
    *,
    is_bad: bool = False,
    active_from: dt.datetime | None = None,
) -> Step:
    began = min(cells.at(event) for event in events)
    return Step(
        icon=icon,
        title=title,
        lane=lane,
        started_at=began,
        active_from=active_from or began,
        ended_at=cells.at(last) if last else None,
        facts=tuple(fact for fact in facts if fact[1]),
        texts=tuple(
            Text(
                heading=heading,
                content=cells.text_of(event),
                is_unkept=not event.get("payload_id"),
                is_locked=bool(event.get("is_text_locked")),
            )
            for heading, event in texts
            if event is not None and (event.get("payload_id") or event.get("content_capture"))
        ),
        is_bad=is_bad,
    )


def _begun(ended: Event | None) -> dt.datetime | None:
    """When a finished call began to work: its end less its duration; None when that is not recorded."""
    worked = cells.milliseconds(ended, "duration_ns")
    return None if ended is None or worked is None else cells.at(ended) - dt.timedelta(milliseconds=worked)
