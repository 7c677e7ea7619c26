"""Questions about the generation itself: what it was made from, who is in it, how many rows it has."""

from __future__ import annotations

from app.questions.asking import Ask, Question
from app.questions.marts import MARTS


def _freshness(ask: Ask) -> str:
    return "select * from build_info"


def _measures(ask: Ask) -> str:
    return "select * from dim_metrics order by position"


_NO_AGENT = {"agent_id": ""}


def _teams(ask: Ask) -> str:
    return f"select * from dim_teams where {ask.where(equals=_NO_AGENT)} order by team_id"


def _people(ask: Ask) -> str:
    return f"select * from dim_people where {ask.where(equals=_NO_AGENT)} order by person_id"


def _exports(ask: Ask) -> str:
    where = ask.where("created_date", equals=_NO_AGENT)
    return f"select * from fct_exports where {where} order by created_at desc, export_id"


def _row_counts(ask: Ask) -> str:
    counts = [f"select '{name}' as mart, count(*) as rows from {name}" for name in MARTS]
    return "\nunion all\n".join(counts) + "\norder by mart"


def _models(ask: Ask) -> str:
    where = ask.where("run_date", also="model_name is not null")
    return (
        f"select model_name, count(*) as runs from fct_runs where {where} "
        "group by model_name order by runs desc, model_name"
    )


QUESTIONS = (
    Question(name="freshness", meaning="What the generation was made from and until when.", write=_freshness),
    Question(name="measures", meaning="Every metric with its SQL and its sentence.", write=_measures),
    Question(name="teams", meaning="The teams, declared or only seen in events.", write=_teams),
    Question(name="people", meaning="The people as declared.", write=_people),
    Question(name="exports", meaning="Exports of rows out of the product, newest first.", write=_exports),
    Question(name="row_counts", meaning="Rows of each table within the scope.", write=_row_counts),
    Question(name="models", meaning="Models of the runs in the period.", write=_models),
)
