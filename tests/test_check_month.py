"""The monthly check: a clean company passes, each violation is found by its check and by no other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.checks.monthly import Monthly, Part, check_month
from app.errors import CheckError
from ingest.workspace import Workspace
from tests import check_world as world

NOT_RECORDED = {"REC-06"}
"""Checks for which this release records nothing: they say so."""


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Workspace, Monthly]]:
    workspace = world.clean(tmp_path_factory.mktemp("clean") / "workspace")
    yield workspace, check_month(workspace, world.MONTH, demo=False)


def test_a_clean_company_passes_every_check_that_has_something_to_look_at(
    clean: tuple[Workspace, Monthly],
) -> None:
    results = {one.check_id: one for one in clean[1].answer.results}
    assert len(results) == 43
    bad = {one.check_id: (one.status, one.detail) for one in results.values() if one.status != "PASS"}
    assert bad.keys() == NOT_RECORDED, bad
    assert clean[1].answer.exit_code == 0
    assert clean[1].answer.is_verified
