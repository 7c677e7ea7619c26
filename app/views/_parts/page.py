"""What every page stands on in one run: the person, the warehouse asked for once, and cached questions."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import polars as pl
import streamlit as st

from app import charts, identity
from app.desk import Desk, Person
from app.labels import clock, md_escape
from app.warehouse import Scope, Warehouse

_KEY = "fleetbook_page"


@dataclass(frozen=True, kw_only=True)
class Page:
    """One run of one page. ``is_demo`` says which rows it shows; demo and real rows are never mixed."""

    person: Person
    scope: Scope
    desk: Desk
    warehouse: Warehouse | None
    names: Mapping[str, str]
    team_names: Mapping[str, str]
    zone: ZoneInfo
    now: dt.datetime
    is_demo: bool
    colours: charts.Palette

    @property
    def team_colours(self) -> dict[str, str]:
        """Team to colour, the same on every page and for every person."""
        return charts.team_colours(list(self.team_names), self.colours)

    def name_of(self, person_id: object) -> str:
        """The person's name where the directory has one, else the id."""
        return self.names.get(str(person_id), str(person_id)) if person_id else "nobody"

    def team(self, team_id: object) -> str:
        """The team's name where the directory has one, else the id."""
        return self.team_names.get(str(team_id), str(team_id)) if team_id else "no team"

    def ask(self, question: str, **filters: object) -> pl.DataFrame:
        """A named question to the warehouse, within the person's scope, cached per build, scope and person."""
        return _ask(self.built().build_id, self.scope, question, self.is_demo, _frozen(filters))

    def built(self) -> Warehouse:
        """The warehouse, or the page ends with the sentence that says which command builds it."""
        if self.warehouse is None:
            empty("No warehouse yet. It fills this page with runs, costs and agents.", "fleetbook build")
            st.stop()
        return self.warehouse
