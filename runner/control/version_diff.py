"""What differs between two versions of an agent, field by field."""

from __future__ import annotations

from typing import NamedTuple

from runner.control.plan import flat
from runner.control.versions import Frozen


class FieldChange(NamedTuple):
    """A field by its dotted path, as it was and as it is; None where the version does not have it."""

    field: str
    before: str | None
    after: str | None


def version_diff(old: Frozen, new: Frozen) -> list[FieldChange]:
    """Every field in which the specifications differ, in alphabetical order."""
    before, after = flat(old), flat(new)
    return [
        FieldChange(field, before.get(field), after.get(field))
        for field in sorted(before.keys() | after.keys())
        if before.get(field) != after.get(field)
    ]
