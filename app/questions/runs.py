"""Questions about runs: the search, and everything about one run."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from app.errors import QuestionError
from app.questions.asking import Ask, Question

ORDERS: Mapping[str, str] = {
    "newest": "coalesce(ended_at, requested_at) desc nulls last",
    "oldest": "coalesce(ended_at, requested_at) asc nulls last",
    "cost": "cost_usd desc nulls last",
    "machine": "machine_ms desc nulls last",
    "waiting": "waiting_ms desc nulls last",
    "tool_errors": "tool_error_count desc nulls last",
    "interventions": "intervention_count desc nulls last",
}
"""The orders the search can be asked in; a run id breaks every tie."""

SEARCHED = (
    "run_id",
    "agent_id",
    "actor_id",
    "conversation_id",
    "source_run_id",
    "source_file",
    "source_agent",
    "source_domain",
    "model_name",
)
MAX_PAGE = 10_000

_EQUALS = {
    "outcome": "outcome",
    "end_state": "end_state",
    "run_status": "run_status",
    "trigger_kind": "trigger_kind",
    "model_name": "model_name",
    "actor_id": "actor_id",
    "cost_status": "cost_status",
    "recorded_via": "recorded_via",
    "source_file": "source_file",
}
_TAKES: Mapping[str, type] = {
    **dict.fromkeys(_EQUALS, str),
    "text": str,
    "text_run_ids": str,  # runs that the text was found in, one per line: they match as well
    "run_id_prefix": str,
    "has_tool_error": bool,
    "has_approval": bool,
    "has_intervention": bool,
    "is_delegated": bool,
    "min_cost_usd": Decimal,
}
_FLAGS = {
    "has_tool_error": "tool_error_count > 0",
    "has_approval": "approval_count > 0",
    "has_intervention": "intervention_count > 0",
    "is_delegated": "is_delegated",
}


def _found(ask: Ask) -> str:
    """Condition on the runs that the search finds."""
    conditions = []
    if "text" in ask.filters:
        wanted = ask.bind("text", ask.text("text").lower())
        anywhere = [f"contains(lower({name}), {wanted})" for name in SEARCHED]
        if "text_run_ids" in ask.filters:
            told = ask.bind("text_run_ids", ask.text("text_run_ids"))
            anywhere.append(f"run_id in (select unnest(string_split({told}, chr(10))))")
        conditions.append("(" + " or ".join(anywhere) + ")")
    if "run_id_prefix" in ask.filters:
        conditions.append(f"starts_with(run_id, {ask.bind('run_id_prefix', ask.text('run_id_prefix'))})")
    for name, condition in _FLAGS.items():
        if name in ask.filters:
            conditions.append(condition if ask.filters[name] else f"not ({condition})")
    cost = ask.filters.get("min_cost_usd")
    if isinstance(cost, Decimal):
        conditions.append(f"cost_usd >= {ask.bind('min_cost_usd', cost)}")
    return ask.where("run_date", equals=_EQUALS, also=" and ".join(conditions))


def _runs(ask: Ask) -> str:
    order = ask.text("order", "newest")
    if order not in ORDERS:
        raise QuestionError(f"Runs cannot be ordered by {order!r}. Order by {', '.join(ORDERS)}.")
    limit = min(max(ask.number("limit", 50), 1), MAX_PAGE)
    return f"""
select fct_runs.*, agent_name
from fct_runs
left join (select agent_id as named_id, agent_name from dim_agents) on named_id = agent_id
where {_found(ask)}
order by {ORDERS[order]}, run_id
limit {limit} offset {max(ask.number("offset", 0), 0)}
"""


def _run_count(ask: Ask) -> str:
    return f"select count(*) as runs from fct_runs where {_found(ask)}"


def _targets_of_runs(ask: Ask) -> str:
    told = ask.bind("text_run_ids", ask.text("text_run_ids"))
    return f"""
select run_id, agent_id, team_id, actor_id
from fct_runs
where run_id in (select unnest(string_split({told}, chr(10))))
"""


def _of_one_run(mart: str, order: str) -> Question:
    def write(ask: Ask) -> str:
        if "run_id" not in ask.filters:
            raise QuestionError(f"Rows of {mart} of one run need the filter 'run_id'. Pass the run's id.")
        return (
            f"select * from {mart} where run_id = {ask.bind('run_id', ask.text('run_id'))} order by {order}"
        )

    nouns = {"fct_runs": "run", "fct_turns": "run_turns", "fct_tool_calls": "run_tool_calls"}
    name = nouns.get(mart, "run_" + mart.removeprefix("fct_"))
    return Question(name=name, meaning=f"The rows of {mart} of one run.", write=write, takes={"run_id": str})


QUESTIONS = (
    Question(
        name="runs",
        meaning="Runs that match the filters, refused requests and runs in flight included, one page.",
        write=_runs,
        takes={**_TAKES, "order": str, "limit": int, "offset": int},
    ),
    Question(
        name="targets_of_runs",
        meaning="Agent, team and person of the runs named, for the question whose texts may be read.",
        write=_targets_of_runs,
        takes={"text_run_ids": str},
    ),
    Question(
        name="run_count",
        meaning="How many runs match the filters of the search.",
        write=_run_count,
        takes=_TAKES,
    ),
    _of_one_run("fct_runs", "run_id"),
    _of_one_run("fct_turns", "turn_index, attempt"),
    _of_one_run("fct_tool_calls", "call_index"),
    _of_one_run("fct_approvals", "requested_at, approval_id"),
    _of_one_run("fct_charges", "charged_at nulls last, charge_id"),
)
