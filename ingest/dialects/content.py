"""What people, models and tools wrote in a span, taken apart from its structure, and put back.

Structure goes into the log; content goes to the payload store, is hashed or dropped. An attribute whose
value was taken stays with the value null: it was there. Flattened parts of one text go altogether.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from ingest.dialects.texts import (
    MAX_STRUCTURE_CHARACTERS,
    STRUCTURE_MEMBERS,
    STRUCTURE_NAMES,
    is_content,
    is_flattened,
)
from ingest.dialects.values import Json, object_of

# What tells the records of one trace apart.
_LABELS = ("signal", "span_id", "event_name", "time_ns", "observed_ns")


_LISTS = ("events", "links")
_OBJECT = (dict, Mapping)  # a dict is found ten times faster


class Parts(NamedTuple):
    """A raw span without content, and its content under the same names."""

    structure: dict[str, Json]
    content: dict[str, Json]


def apart(raw: Mapping[str, Json]) -> Parts:
    """Take the content out of ``raw``, which stays as it is."""
    structure = dict(raw)
    content: dict[str, Json] = {}
    attributes = raw.get("attributes")
    if isinstance(attributes, _OBJECT) and (taken := _taken(attributes)):
        structure["attributes"] = _without(attributes, taken)
        content["attributes"] = taken
    for name in _LISTS:
        rows = raw.get(name)
        if rows and isinstance(rows, list):
            structure[name], told = _rows_apart(rows)
            content |= {name: told} if told else {}
    title = raw.get("name")
    if isinstance(title, str) and len(title) > MAX_STRUCTURE_CHARACTERS:
        structure["name"], content["name"] = title[:MAX_STRUCTURE_CHARACTERS], title
    status = raw.get("status")
    if isinstance(status, _OBJECT) and "message" in status:
        structure["status"] = {name: value for name, value in status.items() if name != "message"}
        content["status_message"] = status["message"]
    if raw.get("body") is not None:
        structure["body"], text = _body_apart(raw)
        content |= {"body": text} if text is not None else {}
    return Parts(structure, content)


def labelled(content: Mapping[str, Json], raw: Mapping[str, Json]) -> dict[str, Json]:
    """``content`` with what says whose it is: a payload holds the contents of many spans of a trace."""
    return {**content, **{name: raw[name] for name in _LABELS if raw.get(name)}}


def contents_of(payload: str) -> list[dict[str, Json]]:
    """The contents in a ``payload`` that the receiver made; empty for any other text."""
    try:
        contents = msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return []
    rows = contents if isinstance(contents, list) else []
    return [row for row in rows if isinstance(row, dict) and "signal" in row]


def restored(structure: Mapping[str, Json], payload: str) -> dict[str, Json]:
    """The raw span or log record as it arrived: its structure from the log, its content from ``payload``."""
    label = labelled({}, structure)
    content = next((row for row in contents_of(payload) if label.items() <= row.items()), {})
    return together(structure, content)


def together(structure: Mapping[str, Json], content: Mapping[str, Json]) -> dict[str, Json]:
    """The raw span again, from both of its parts."""
    raw = dict(structure)
    if taken := object_of(content.get("attributes")):
        raw["attributes"] = {**object_of(raw.get("attributes")), **taken}
    for name in _LISTS:
        told, rows = object_of(content.get(name)), raw.get(name)
        if told and isinstance(rows, list):
            raw[name] = [_row_together(row, told.get(str(index))) for index, row in enumerate(rows)]
    if "name" in content:
        raw["name"] = content["name"]
    if "status_message" in content:
        raw["status"] = {**object_of(raw.get("status")), "message": content["status_message"]}
    if "body" in content:
        body, text = raw.get("body"), content["body"]
        raw["body"] = {**body, **text} if isinstance(body, Mapping) and isinstance(text, Mapping) else text
    return raw


def _taken(attributes: Mapping[str, Json]) -> dict[str, Json]:
    """The attributes that are content."""
    taken: dict[str, Json] = {}
    for name, value in attributes.items():
        if is_content(name):
            if value is not None:
                taken[name] = value
        # Most are short texts or numbers: asking for the type here saves a call for each of them.
        elif type(value) is not int and (
            (len(value) if type(value) is str else _size(value)) > MAX_STRUCTURE_CHARACTERS
            and name not in STRUCTURE_NAMES
        ):
            taken[name] = value
    return taken


def _size(value: Json) -> int:
    """Characters of a text, bytes of the JSON of anything nested; 0 for numbers, which are no texts."""
    if isinstance(value, str):
        return len(value)
    return len(msgspec.json.encode(value)) if isinstance(value, (list, dict)) else 0


def _without(attributes: Mapping[str, Json], taken: Mapping[str, Json]) -> dict[str, Json]:
    kept = dict(attributes)
    for name in taken:
        # Of a text in a hundred flattened parts the names of the parts say nothing either.
        if is_flattened(name):
            del kept[name]
        else:
            kept[name] = None
    for name in STRUCTURE_MEMBERS.keys() & taken.keys():
        whole = object_of(taken[name])
        members = {key: whole[key] for key in STRUCTURE_MEMBERS[name] if key in whole}
        if members:
            kept[name] = msgspec.json.encode(members).decode()
    return kept


def _rows_apart(rows: Sequence[Json]) -> tuple[list[Json], dict[str, Json]]:
    """Events or links: what is taken from each, by its place."""
    kept: list[Json] = []
    told: dict[str, Json] = {}
    for index, row in enumerate(rows):
        attributes = row.get("attributes") if isinstance(row, Mapping) else None
        taken = _taken(attributes) if isinstance(attributes, Mapping) else {}
        if taken and isinstance(row, Mapping) and isinstance(attributes, Mapping):
            told[str(index)] = taken
            row = {**row, "attributes": _without(attributes, taken)}
        kept.append(row)
    return kept, told


def _row_together(row: Json, taken: Json) -> Json:
    if not isinstance(row, Mapping) or not isinstance(taken, Mapping):
        return row
    return {**row, "attributes": {**object_of(row.get("attributes")), **taken}}


def _body_apart(raw: Mapping[str, Json]) -> tuple[Json, Json]:
    """A log's body: its members are taken like attributes; a text is content, unless it names the event."""
    body = raw["body"]
    if isinstance(body, Mapping):
        taken = _taken(body)
        return _without(body, taken), taken or None
    names = (raw.get("event_name"), object_of(raw.get("attributes")).get("event.name"))
    return (body, None) if body in names else (None, body)
