"""Keys and secrets are exchanged as docs/operations.md says, and what was signed before still counts."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from ingest.log.verify import verify
from ingest.workspace import Workspace
from tests.runner_company import Command, company, fleetbook, play

__all__ = ["fleetbook"]
TASK = "Refund W-2211, 50 USD"


def findings(workspace: Workspace, vkey: str | None = None) -> list[str]:
    """Codes of what a verification at level 2 finds."""
    return [finding.code for finding in verify(workspace, 2, vkey=vkey).findings]


def test_a_new_notary_key_signs_on_and_the_retired_one_still_counts(
    workspace: Workspace, fleetbook: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    public = workspace.checkpoint_dir / "notary.vkey"
    company(workspace).close()
    monkeypatch.setenv("FLEETBOOK_NOTARY_KEY", str(tmp_path / "old.key"))
    assert fleetbook("notarise")[0] == 0
    old = public.read_text(encoding="utf-8")
    with (workspace.checkpoint_dir / "retired.vkeys").open("a", encoding="utf-8") as retired:
        retired.write(old)
    monkeypatch.setenv("FLEETBOOK_NOTARY_KEY", str(tmp_path / "new.key"))
    with company(workspace) as control:
        play(control, "refund-agent", TASK)
    assert fleetbook("notarise")[0] == 0
    new = public.read_text(encoding="utf-8")
    assert new != old
    assert findings(workspace) == []
    assert findings(workspace, f"{new} {old}") == []
    # An auditor who was told of one key only is shown what the other signed.
    assert findings(workspace, new) == ["checkpoint_invalid"]
    (workspace.checkpoint_dir / "retired.vkeys").unlink()
    assert findings(workspace) == ["checkpoint_invalid"]


def test_a_new_key_for_texts_encrypts_what_comes_and_by_command_what_is_there(
    workspace: Workspace, fleetbook: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = tmp_path / "texts.key"
    assert fleetbook("log", "key", str(key))[0] == 0
    monkeypatch.setenv("FLEETBOOK_PAYLOAD_KEY", str(key))
    with company(workspace) as control:
        play(control, "refund-agent", TASK)
    before = key.read_text(encoding="utf-8").split()
    assert fleetbook("log", "key", str(key))[0] == 0
    assert len(key.read_text(encoding="utf-8").split()) > len(before)
    code, said, _ = fleetbook("log", "encrypt")
    assert code == 0
    assert "Encrypted with key" in said
    assert findings(workspace) == ["checkpoint_missing"]


def test_setting_the_sign_in_again_makes_a_new_cookie_secret(
    workspace: Workspace, fleetbook: Command
) -> None:
    secrets = []
    for client_secret in ("first-secret", "second-secret"):
        words = ["--provider", "https://login.example", "--client-id", "pages"]
        address = ["--address", "https://fleet.example", "--client-secret", client_secret]
        assert fleetbook("sign-in", "set", *words, *address)[0] == 0
        secrets.append(tomllib.loads((workspace.root / "secrets.toml").read_text())["auth"])
    assert [one["client_secret"] for one in secrets] == ["first-secret", "second-secret"]
    assert secrets[0]["cookie_secret"] != secrets[1]["cookie_secret"]
