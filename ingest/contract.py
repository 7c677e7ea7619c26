"""What the contract means in bytes: canonical bodies, the Parquet schema, and the generated copies.

``python -m ingest.contract --write`` makes ``dbt_project/models/staging/_sources.yml``,
``dbt_project/macros/contract_words.sql`` and ``docs/events.md`` again; ``--check`` fails when a copy is stale.
"""

from __future__ import annotations

import argparse
import datetime as dt
import hashlib
import os
import sys
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TypeAlias

import msgspec
import pyarrow as pa

from ingest.errors import ContractError
from ingest.event_fields import ENVELOPE_NAMES, FIELD_BY_NAME, FIELDS, Field
from ingest.events import EVENT_TYPES, TYPE_BY_NAME

Value: TypeAlias = str | int | bool | dt.datetime | None
Event: TypeAlias = Mapping[str, Value]

MAX_INT = 2**53 - 1
SCHEMA_VERSION = 1
_ENCODER = msgspec.json.Encoder(order="sorted")
_ARROW_TYPES = {
    "text": pa.string(),
    "int": pa.int64(),
    "bool": pa.bool_(),
    "time": pa.timestamp("us", tz="UTC"),
}
_PYTHON_TYPES: dict[str, type] = {"text": str, "int": int, "bool": bool, "time": dt.datetime}


@lru_cache(maxsize=1)
def arrow_schema() -> pa.Schema:
    """The schema of every segment: all contract columns, then ``body`` (canonical JSON) and ``hash`` (hex)."""
    columns = [pa.field(field.name, _ARROW_TYPES[field.kind]) for field in FIELDS]
    return pa.schema([*columns, pa.field("body", pa.string()), pa.field("hash", pa.string())])


def rfc3339(moment: dt.datetime) -> str:
    """UTC text of an aware ``moment`` with six decimals, the one form used in bodies."""
    return moment.astimezone(dt.UTC).isoformat(timespec="microseconds")[:-6] + "Z"


def parse_rfc3339(text: str) -> dt.datetime:
    """The aware datetime of :func:`rfc3339` text. Raises ValueError for any other form."""
    moment = dt.datetime.fromisoformat(text)
    if moment.tzinfo is None or rfc3339(moment) != text:
        raise ValueError(f"{text!r} is not in the form of RFC 3339 with six decimals and Z")
    return moment


@lru_cache(maxsize=256)
def _allowed(event_type: str) -> dict[str, type | None]:
    """The columns that ``event_type`` may carry, with str or int for those of which nothing else is asked."""
    kind = TYPE_BY_NAME[event_type]
    names = ENVELOPE_NAMES | frozenset(kind.required) | frozenset(kind.optional)
    return {name: _plain_type(FIELD_BY_NAME[name]) for name in names}


def _plain_type(field: Field) -> type | None:
    return _PYTHON_TYPES[field.kind] if field.kind in ("text", "int") and not field.values else None


def _problem(field: Field, value: Value) -> str | None:
    """What is wrong with ``value`` in ``field``, or None."""
    if type(value) is not _PYTHON_TYPES[field.kind]:
        return f"{field.name} is {type(value).__name__}, expected {field.kind}"
    if field.kind == "int" and not -MAX_INT <= value <= MAX_INT:  # type: ignore[operator]  # kind says int
        return f"{field.name} = {value} is outside ±2^53"
    if isinstance(value, dt.datetime) and value.tzinfo is None:
        return f"{field.name} has no time zone"
    if field.values and value not in field.values:
        return f"{field.name} = {value!r} is none of {', '.join(field.values)}"
    return None


def validate(event: Event) -> None:
    """Raise ContractError unless ``event`` has a known type, its required columns, and only its own columns.

    Null values are as good as absent ones. The columns filled by the writer need not be there yet.
    """
    event_type = event.get("event_type")
    if not isinstance(event_type, str) or event_type not in TYPE_BY_NAME:
        raise ContractError(str(event_type or ""), f"unknown event type {event_type!r}")
    allowed = _allowed(event_type)
    for name, value in event.items():
        if value is None:
            continue
        if name not in allowed:
            raise ContractError(event_type, f"column {name} does not belong to it")
        # Most columns are plain: a million events pass here, and this saves the call for those.
        if type(value) is allowed[name] and (type(value) is str or -MAX_INT <= value <= MAX_INT):  # type: ignore[operator]  # str or int
            continue
        problem = _problem(FIELD_BY_NAME[name], value)
        if problem:
            raise ContractError(event_type, problem)
    missing = [
        name
        for name in ("event_id", "occurred_at", *TYPE_BY_NAME[event_type].required)
        if event.get(name) is None
    ]
    if missing:
        raise ContractError(event_type, f"required column {missing[0]} is missing")


def canonical_body(event: Event) -> bytes:
    """Canonical JSON of ``event``: sorted keys, compact, no nulls, times as RFC 3339 text (RFC 8785 for this subset)."""
    present = {name: value for name, value in event.items() if value is not None}
    for name in _TIME_NAMES & present.keys():
        present[name] = rfc3339(present[name])  # type: ignore[arg-type]  # validated: a time column holds a time
    return _ENCODER.encode(present)


def parse_body(body: bytes | str) -> dict[str, Value]:
    """The event of a canonical body, times as aware datetimes. Raises ContractError when it is no JSON object of the contract."""
    try:
        raw = msgspec.json.decode(body)
    except msgspec.DecodeError as error:
        raise ContractError("", f"body is no JSON ({error})") from error
    if not isinstance(raw, dict):
        raise ContractError("", "body is no JSON object")
    for name in raw.keys() & _TIME_NAMES:
        try:
            raw[name] = parse_rfc3339(raw[name])
        except (ValueError, TypeError) as error:
            raise ContractError(str(raw.get("event_type", "")), f"{name} is no RFC 3339 time") from error
    return raw


_TIME_NAMES = frozenset(field.name for field in FIELDS if field.kind == "time")


def new_event_id(moment: dt.datetime) -> str:
    """A fresh UUIDv7 (RFC 9562) whose time part is ``moment``."""
    return _uuid7(moment, os.urandom(10))


def derived_event_id(moment: dt.datetime, *parts: str) -> str:
    """A UUIDv7 whose random part is a hash of ``parts``: the same source row always gives the same id."""
    return _uuid7(moment, hashlib.sha256("\x1f".join(parts).encode()).digest()[:10])


def _uuid7(moment: dt.datetime, random: bytes) -> str:
    millis = int(moment.timestamp() * 1000) & ((1 << 48) - 1)
    rand_a = int.from_bytes(random[:2], "big") & 0x0FFF
    rand_b = int.from_bytes(random[2:], "big") & ((1 << 62) - 1)
    number = (millis << 80) | (0x7 << 76) | (rand_a << 64) | (0b10 << 62) | rand_b
    text = f"{number:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _yaml_text(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def dbt_sources() -> str:
    """The dbt source YAML, made from the contract."""
    lines = [
        "# Made from ingest/events.py and ingest/event_fields.py by `python -m ingest.contract --write`. Do not edit.",
        "version: 2",
        "sources:",
        "  - name: log",
        '    description: "The event log: sealed segments and the durable part of open writers, as one relation."',
        "    config:",
        "      formatter: template",
        # the builder names a relation of its own; dbt by itself reads the files
        "      external_location: \"(select * from {{ env_var('FLEETBOOK_EVENTS', 'read_parquet(' ~"
        " env_var('FLEETBOOK_EVENT_FILES', 'null') ~ ', union_by_name=true, hive_partitioning=false)') }})\"",
        "      # Whoever has dbt asks it, too: dbt source freshness. A company at work records something every day.",
        "      loaded_at_field: recorded_at",
        "      freshness: {warn_after: {count: 1, period: day}, error_after: {count: 7, period: day}}",
        "    tables:",
        "      - name: events",
        '        description: "One row per event; which columns an event type carries is listed in docs/events.md."',
        "        columns:",
    ]
    for field in FIELDS:
        lines += [f"          - name: {field.name}", f"            description: {_yaml_text(field.meaning)}"]
    lines += [
        "          - name: body",
        '            description: "Canonical JSON of the event, the bytes that are hashed."',
    ]
    lines += ["          - name: hash", '            description: "SHA256 chain value of the event, in hex."']
    lines += [
        "      - name: arrivals",
        '        description: "The events that came since the tables were made, with the last one before them of'
        ' each writer; is_arrived tells them apart. All events in a full build."',
        "        config:",
        "          external_location: \"(select * from {{ env_var('FLEETBOOK_ARRIVALS', '(select *, true as"
        " is_arrived from read_parquet(' ~ env_var('FLEETBOOK_EVENT_FILES', 'null') ~ ', union_by_name=true,"
        " hive_partitioning=false))') }})\"",
    ]
    return "\n".join(lines) + "\n"


def dbt_words() -> str:
    """The closed sets of the contract as a dbt macro, for tests of accepted words."""
    lines = [
        "{# Made from ingest/events.py and ingest/event_fields.py by `python -m ingest.contract --write`. Do not edit. #}",
        "",
        "{% macro contract_words_of(field) %}",
        "{{ return({",
    ]
    lines += [
        f'    "{f.name}": [{", ".join(_yaml_text(word) for word in f.values)}],' for f in FIELDS if f.values
    ]
    lines += ["}[field]) }}", "{% endmacro %}"]
    return "\n".join(lines) + "\n"


def events_page() -> str:
    """``docs/events.md``, made from the contract."""
    lines = [
        "# The event contract",
        "",
        "Made from `ingest/events.py` and `ingest/event_fields.py` by `python -m ingest.contract --write`; `--check` runs in `./fleetbook lint`.",
        "Changes are additive only. Money is integer nano-USD, time is UTC, durations are integer nanoseconds.",
        "",
        "## Columns",
        "",
        "| column | kind | meaning | words |",
        "|---|---|---|---|",
    ]
    lines += [f"| `{f.name}` | {f.kind} | {f.meaning} | {' · '.join(f.values)} |" for f in FIELDS]
    lines += [
        "",
        "## Event types",
        "",
        "| family | event type | meaning | must carry | may carry |",
        "|---|---|---|---|---|",
    ]
    for kind in EVENT_TYPES:
        must = " ".join(f"`{name}`" for name in kind.required)
        may = " ".join(f"`{name}`" for name in kind.optional)
        lines.append(f"| {kind.family} | `{kind.name}` | {kind.meaning} | {must} | {may} |")
    return "\n".join(lines) + "\n"


def copies(root: Path) -> dict[Path, str]:
    """Path and expected content of each generated copy below the repository ``root``."""
    return {
        root / "dbt_project" / "models" / "staging" / "_sources.yml": dbt_sources(),
        root / "dbt_project" / "macros" / "contract_words.sql": dbt_words(),
        root / "docs" / "events.md": events_page(),
    }


def main(arguments: list[str] | None = None) -> int:
    """``--write`` makes the copies again, ``--check`` compares them; exit code 1 when one is stale."""
    parser = argparse.ArgumentParser(prog="python -m ingest.contract", description=main.__doc__)
    group = parser.add_mutually_exclusive_group(required=True)
    group.add_argument("--write", action="store_true", help="make the generated copies again")
    group.add_argument("--check", action="store_true", help="fail when a generated copy is stale")
    options = parser.parse_args(arguments)
    stale = []
    for path, content in copies(Path(__file__).resolve().parent.parent).items():
        if options.write:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != content:
            stale.append(path)
    for path in stale:
        print(
            f"Stale copy: {path} differs from ingest/events.py. Run `python -m ingest.contract --write`.",
            file=sys.stderr,
        )
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
