"""What people, models and tools wrote in a span, taken apart from its structure, and put back.

Structure goes into the log; content goes to the payload store, is hashed or dropped. An attribute whose
value was taken stays with the value null: it was there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from ingest.dialects.texts import MAX_STRUCTURE_CHARACTERS, STRUCTURE_MEMBERS, STRUCTURE_NAMES, is_content
from ingest.dialects.values import Json, object_of


class Parts(NamedTuple):
    """A raw span without content, and its content: ``{attributes, events, status_message, body}``."""

    structure: dict[str, Json]
    content: dict[str, Json]


def apart(raw: Mapping[str, Json]) -> Parts:
    """Take the content out of ``raw``, which stays as it is."""
    structure = dict(raw)
    content: dict[str, Json] = {}
    attributes = raw.get("attributes")
    if isinstance(attributes, Mapping) and (taken := _taken(attributes)):
        structure["attributes"] = _without(attributes, taken)
        content["attributes"] = taken
    events = raw.get("events")
    if isinstance(events, Sequence) and not isinstance(events, str) and events:
        structure["events"], told = _events_apart(events)
        content |= {"events": told} if told else {}
    status = raw.get("status")
    if isinstance(status, Mapping) and "message" in status:
        structure["status"] = {name: value for name, value in status.items() if name != "message"}
        content["status_message"] = status["message"]
    if raw.get("body") is not None:
        structure["body"], text = _body_apart(raw)
        content |= {"body": text} if text is not None else {}
    return Parts(structure, content)


def together(structure: Mapping[str, Json], content: Mapping[str, Json]) -> dict[str, Json]:
    """The raw span again, from both of its parts."""
    raw = dict(structure)
    if taken := object_of(content.get("attributes")):
        raw["attributes"] = {**object_of(raw.get("attributes")), **taken}
    told = object_of(content.get("events"))
    events = raw.get("events")
    if told and isinstance(events, Sequence):
        raw["events"] = [_event_together(event, told.get(str(index))) for index, event in enumerate(events)]
    if "status_message" in content:
        raw["status"] = {**object_of(raw.get("status")), "message": content["status_message"]}
    if "body" in content:
        body, text = raw.get("body"), content["body"]
        raw["body"] = {**body, **text} if isinstance(body, Mapping) and isinstance(text, Mapping) else text
    return raw


def _taken(attributes: Mapping[str, Json]) -> dict[str, Json]:
    """The attributes that are content."""
    return {
        name: value
        for name, value in attributes.items()
        if value is not None and (is_content(name) or _is_long(name, value))
    }


def _is_long(name: str, value: Json) -> bool:
    if isinstance(value, str):
        return len(value) > MAX_STRUCTURE_CHARACTERS and name not in STRUCTURE_NAMES
    if isinstance(value, Sequence | Mapping):
        return len(msgspec.json.encode(value)) > MAX_STRUCTURE_CHARACTERS and name not in STRUCTURE_NAMES
    return False


def _without(attributes: Mapping[str, Json], taken: Mapping[str, Json]) -> dict[str, Json]:
    kept: dict[str, Json] = {**attributes, **dict.fromkeys(taken)}
    for name in taken.keys() & STRUCTURE_MEMBERS.keys():
        whole = object_of(taken[name])
        members = {key: whole[key] for key in STRUCTURE_MEMBERS[name] if key in whole}
        if members:
            kept[name] = msgspec.json.encode(members).decode()
    return kept


def _events_apart(events: Sequence[Json]) -> tuple[list[Json], dict[str, Json]]:
    kept: list[Json] = []
    told: dict[str, Json] = {}
    for index, event in enumerate(events):
        attributes = event.get("attributes") if isinstance(event, Mapping) else None
        taken = _taken(attributes) if isinstance(attributes, Mapping) else {}
        if taken and isinstance(event, Mapping) and isinstance(attributes, Mapping):
            told[str(index)] = taken
            event = {**event, "attributes": _without(attributes, taken)}
        kept.append(event)
    return kept, told


def _event_together(event: Json, taken: Json) -> Json:
    if not isinstance(event, Mapping) or not isinstance(taken, Mapping):
        return event
    return {**event, "attributes": {**object_of(event.get("attributes")), **taken}}


def _body_apart(raw: Mapping[str, Json]) -> tuple[Json, Json]:
    """A log's body: its members are taken like attributes; a text is content, unless it names the event."""
    body = raw["body"]
    if isinstance(body, Mapping):
        taken = _taken(body)
        return _without(body, taken), taken or None
    names = (raw.get("event_name"), object_of(raw.get("attributes")).get("event.name"))
    return (body, None) if body in names else (None, body)
