"""An export whose maker ended in the middle is told and cleared away; one in the making is not touched."""

from __future__ import annotations

from pathlib import Path

from app.export.interrupted import FOLDERS, Begun, being_made, clear_away

BEGUN = Begun(person_id="ada", mart="fct_runs", row_count=1200, created_at="2026-11-20T09:30:00+00:00")


def test_only_what_nobody_makes_any_more_is_cleared_away(tmp_path: Path) -> None:
    folder = tmp_path / f"{FOLDERS}1"
    folder.mkdir()
    (tmp_path / "20261120T080000Z-fct_runs-1").mkdir()
    assert clear_away(tmp_path) == ()  # its maker has just begun: no mark yet
    with being_made(folder, BEGUN):
        (folder / "fct_runs.csv").write_text("half")
        assert clear_away(tmp_path) == ()
        assert folder.exists()
    assert clear_away(tmp_path) == (BEGUN,)
    assert [path.name for path in tmp_path.iterdir()] == ["20261120T080000Z-fct_runs-1"]
    assert "1,200 rows of fct_runs, begun by ada on 20 Nov 2026 at 09:30 UTC, was interrupted" in BEGUN.told
    assert clear_away(tmp_path / "nothing") == ()
