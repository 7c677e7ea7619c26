"""The catalogue of the checks: as a generation holds it, with the hash of the SQL that decides each."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from app.checks.decide import Check
from app.errors import CheckError
from app.warehouse import Warehouse

_MANIFEST = "manifest.json"
_FILE = Path(__file__).resolve().parents[2] / "dbt_project" / "models" / "marts" / "_checks.yml"


def check_ids() -> list[str]:
    """The ids of the catalogue, in its order."""
    import yaml

    models = yaml.safe_load(_FILE.read_text(encoding="utf-8"))["models"]
    return [one["id"] for one in models[0]["config"]["meta"]["checks"]]


def known_check(check_id: str) -> str:
    """The id as the catalogue writes it. Raises CheckError with the nearest ids for another one."""
    from runner.control.declared import nearest

    ids = check_ids()
    asked = check_id.strip().upper()
    if asked in ids:
        return asked
    near = nearest(asked, ids)
    hint = f"Is it {near}? " if near else ""
    raise CheckError(f"No check {check_id!r}. {hint}docs/checks.md lists the {len(ids)} checks.")


def catalogue(warehouse: Warehouse) -> list[Check]:
    """Every check of the generation with the hash of the SQL that it ran, in the catalogue's order."""
    hashes = _sql_hashes(warehouse.path / _MANIFEST)
    rows = warehouse.fetch("select * from main.dim_checks order by position", {})
    return [
        Check(
            check_id=row["check_id"],
            severity=row["severity"],
            title=row["title"],
            clauses=row["clauses"],
            remedy=row["remedy"],
            needs=row["needs"],
            sql_sha256=hashes.get(row["check_id"]),
        )
        for row in rows.iter_rows(named=True)
    ]


def _sql_hashes(manifest: Path) -> dict[str, str]:
    """Check id to SHA256 (hex) of its SQL, thresholds filled in. Raises CheckError without the manifest."""
    try:
        nodes = json.loads(manifest.read_bytes())["nodes"].values()
    except (OSError, ValueError, KeyError) as error:
        raise CheckError(
            f"SQL of the checks not readable: {manifest} ({type(error).__name__}). Run the check again."
        ) from error
    return {
        node["name"].removeprefix("chk_").replace("_", "-").upper(): hashlib.sha256(
            (node.get("compiled_code") or node["raw_code"]).encode()
        ).hexdigest()
        for node in nodes
        if node["name"].startswith("chk_")
    }
