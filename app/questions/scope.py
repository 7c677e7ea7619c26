"""How far a person sees, put into SQL: the only place where a table is named with its schema."""

from __future__ import annotations

import re
from dataclasses import dataclass

from app.questions.marts import MARTS, Own
from app.questions.statement import Value

_SCHEMA = "main."
_LEADING_WITH = re.compile(r"\A\s*with\b\s*", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Scope:
    """How far a person sees: ``team_ids`` None is all teams, () none; ``own_only`` is own runs only."""

    person_id: str
    role_id: str
    team_ids: tuple[str, ...] | None
    own_only: bool


def confine(sql: str, scope: Scope) -> tuple[str, dict[str, Value]]:
    """``sql`` with every table it names narrowed to the rows of ``scope`` and one population, and the values.

    ``sql`` names the tables without schema, which the narrowed relations then stand for; it cannot reach past
    them, because a schema in it is refused (ValueError: a defect of the question). ``$is_demo`` stays open.
    """
    if _SCHEMA in sql.lower():
        raise ValueError(f"A question names a schema: {sql}")
    values: dict[str, Value] = {}
    relations = [
        f"{name} as (\n    select * from {_SCHEMA}{name} where {_rows_of(name, scope, values)}\n)"
        for name in MARTS
        if re.search(rf"\b{name}\b", sql)
    ]
    if not relations:
        return sql.strip(), values
    own = _LEADING_WITH.match(sql)
    rest = f",\n{sql[own.end() :].strip()}" if own else f"\n{sql.strip()}"
    return "with " + ",\n".join(relations) + rest, values


def _rows_of(name: str, scope: Scope, values: dict[str, Value]) -> str:
    """Condition on the rows of table ``name`` that ``scope`` lets through."""
    own = MARTS[name].own
    conditions = ["is_demo = $is_demo"]
    if own == "everyone":
        return conditions[0] if scope.team_ids != () else f"{conditions[0]} and false"
    if own == "person_id":
        conditions.append(_teams_or_oneself(scope, values))
    else:
        conditions.append(_teams(scope, values))
        conditions.append(_own(own, scope, values) if scope.own_only else "")
    return " and ".join(condition for condition in conditions if condition)


def _teams(scope: Scope, values: dict[str, Value]) -> str:
    if scope.team_ids is None:
        return ""
    if not scope.team_ids:
        return "false"
    names = {f"scope_team_{place}": team for place, team in enumerate(scope.team_ids, start=1)}
    values.update(names)
    return f"team_id in ({', '.join(f'${name}' for name in names)})"


def _teams_or_oneself(scope: Scope, values: dict[str, Value]) -> str:
    """Rows about persons: one's own always, those of the teams unless only own rows are seen."""
    teams = "false" if scope.own_only else _teams(scope, values)
    if not teams:
        return ""
    values["scope_person_id"] = scope.person_id
    return f"({teams} or person_id = $scope_person_id)"


def _own(own: Own, scope: Scope, values: dict[str, Value]) -> str:
    if own == "shared":
        return ""
    if own == "hidden":
        return "false"
    values["scope_person_id"] = scope.person_id
    if own == "run":
        return f"run_id in (select run_id from {_SCHEMA}fct_runs where actor_id = $scope_person_id)"
    return f"{own} = $scope_person_id"
