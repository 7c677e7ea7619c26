"""The quick encoder accepts what the contract accepts, refuses what it refuses, and writes the same bytes."""

from __future__ import annotations

import datetime as dt

from hypothesis import example, given, settings
from hypothesis import strategies as st

from ingest.contract import MAX_INT, Value, canonical_body, rfc3339, validate
from ingest.encoder import check, encode
from ingest.errors import ContractError
from ingest.event_fields import ENVELOPE_NAMES, FIELD_BY_NAME, Field
from ingest.events import EVENT_TYPES

ZONES = st.sampled_from([dt.UTC, dt.timezone(dt.timedelta(hours=5, minutes=30)), None])
TIMES = st.datetimes(dt.datetime(1970, 1, 2), dt.datetime(2200, 1, 1), timezones=ZONES)  # noqa: DTZ001  # the zone is drawn too
WHOLE_SECONDS = TIMES.map(lambda moment: moment.replace(microsecond=0))
ANYTHING = st.one_of(
    st.none(), st.text(), st.integers(), st.booleans(), st.floats(), TIMES, st.binary(), st.just("\ud800")
)
FILLED = {"recorded_via": "runner", "is_demo": False, "writer_id": "w20261104080000-00000000000000aa"}
AT = dt.datetime(2026, 11, 4, 8, 30, tzinfo=dt.UTC)


def fitting(field: Field) -> st.SearchStrategy[Value]:
    """Values that a column takes."""
    if field.values:
        return st.sampled_from(field.values)
    kinds: dict[str, st.SearchStrategy[Value]] = {
        "text": st.text(st.characters(codec="utf-8")),
        "int": st.integers(-MAX_INT, MAX_INT),
        "bool": st.booleans(),
        "time": st.one_of(TIMES, WHOLE_SECONDS).filter(lambda moment: moment.tzinfo is not None),
    }
    return kinds[field.kind]


@st.composite
def events(draw: st.DrawFn) -> dict[str, Value]:
    """An event of any type with any of its columns."""
    kind = draw(st.sampled_from(EVENT_TYPES))
    must = {"event_id", "occurred_at", *kind.required} - {"event_type"}
    may = sorted((ENVELOPE_NAMES | set(kind.optional)) - must - {"event_type", "seq", "writer_id"})
    chosen = must | set(draw(st.lists(st.sampled_from(may), unique=True, max_size=8)))
    return {"event_type": kind.name, **{name: draw(fitting(FIELD_BY_NAME[name])) for name in sorted(chosen)}}


@settings(max_examples=150, deadline=None)
@given(events())
def test_the_bytes_are_the_canonical_body(event: dict[str, Value]) -> None:
    validate(event)
    filled = {**FILLED, "recorded_at": AT, **event, "seq": 7}
    assert encode(check(event), {**FILLED, "recorded_at": AT}, 7) == canonical_body(filled)


@example(
    event={"event_type": "signed_in", "event_id": "e", "occurred_at": AT, "person_id": "p"},
    name="recorded_via",
    value="\ud800",
)
@settings(max_examples=300, deadline=None)
@given(events(), st.sampled_from(sorted(FIELD_BY_NAME)), ANYTHING)
def test_what_the_contract_refuses_is_refused_with_its_words(
    event: dict[str, Value], name: str, value: Value
) -> None:
    changed = {**event, name: value}
    outcomes = []
    for judge in (validate, check):
        try:
            judge(changed)
            outcomes.append("")
        except ContractError as error:
            outcomes.append(str(error))
    assert outcomes[0] == outcomes[1]


def test_a_time_of_another_zone_or_a_whole_second_is_written_in_the_one_form() -> None:
    moment = dt.datetime(2026, 11, 4, 14, 0, tzinfo=dt.timezone(dt.timedelta(hours=5, minutes=30)))
    event: dict[str, Value] = {
        "event_id": "e",
        "event_type": "run_started",
        "occurred_at": moment,
        "run_id": "r",
        "agent_id": "a",
    }
    body = encode(check(event), {**FILLED, "recorded_at": AT}, 0)
    assert b'"occurred_at":"2026-11-04T08:30:00.000000Z"' in body
    assert rfc3339(AT).encode() in body
