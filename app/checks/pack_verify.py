"""Checks an evidence pack without Fleetbook: ``python verify.py [--sha256 HASH]`` in the pack's folder.

Needs Python 3.11 and nothing else. It computes again: the SHA-256 of every file against manifest.json, that
no file is missing or extra, the hash of each check's SQL, that the findings counted from findings.csv are
those which checks.json states, and that no check passes which found something or looked at nothing. Give the
hash that was signed (the event report_signed has it as content_sha256) with --sha256: without it you know
only that the pack agrees with itself. Ends with 0 when everything holds, 1 with findings, 2 when it could not
be checked.
It cannot show that the log was complete or unchanged; `fleetbook verify` and a checkpoint held elsewhere do.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections import Counter
from hashlib import sha256
from pathlib import Path
from typing import Any

FREE = ("manifest.json",)


def digest(path: Path) -> str:
    """SHA-256 of the file, in hex."""
    return sha256(path.read_bytes()).hexdigest()


def wrong_files(folder: Path, manifest: dict[str, Any]) -> list[str]:
    """What differs between the files in ``folder`` and the manifest, as sentences."""
    stated = {entry["name"]: entry for entry in manifest["files"]}
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    found = [f"{name} is missing." for name in sorted(stated.keys() - there)]
    found += [f"{name} is not named in the manifest." for name in sorted(there - stated.keys() - set(FREE))]
    for name in sorted(stated.keys() & there):
        if digest(folder / name) != stated[name]["sha256"]:
            found.append(f"{name} is not the file that the manifest names.")
    return found


def wrong_results(folder: Path) -> list[str]:
    """What does not add up between the results, the findings and the SQL, as sentences."""
    answer = json.loads((folder / "checks.json").read_bytes())
    with (folder / "findings.csv").open(encoding="utf-8", newline="") as file:
        counted = Counter(row["check_id"] for row in csv.DictReader(file))
    found = []
    for result in answer["results"]:
        check, violations = result["check_id"], int(result["violations"])
        listed = counted[check]
        is_cut = (
            not result["sql_sha256"] and listed < violations
        )  # checks that are no SQL name the first ones
        if listed != violations and not is_cut:
            found.append(f"{check}: {violations} violations are stated and {listed} findings are listed.")
        if result["status"] == "PASS" and (violations or not result["population"]):
            found.append(f"{check} passes, with {violations} violations of {result['population']} objects.")
        sql = folder / "sql" / f"{check}.sql"
        if result["sql_sha256"] and sql.exists() and digest(sql) != result["sql_sha256"]:
            found.append(f"{check}: the SQL in the pack is not the SQL that ran.")
    return found


def main() -> int:
    """Check the pack beside this file, or in the folder that is named; returns the exit code."""
    parser = argparse.ArgumentParser(description="Checks an evidence pack without Fleetbook.")
    parser.add_argument("folder", nargs="?", type=Path, default=Path(__file__).resolve().parent)
    parser.add_argument("--sha256", help="SHA-256 of manifest.json, as it was signed")
    asked = parser.parse_args()
    try:
        manifest = json.loads((asked.folder / "manifest.json").read_bytes())
        own = digest(asked.folder / "manifest.json")
        found = wrong_files(asked.folder, manifest)
        found += wrong_results(asked.folder)
    except (OSError, ValueError, KeyError, TypeError) as error:
        print(f"Could not be checked: {type(error).__name__}: {error}", file=sys.stderr)
        return 2
    if asked.sha256 and asked.sha256.lower() != own:
        found.append(f"manifest.json has SHA-256 {own}, and {asked.sha256} was signed.")
    for line in found:
        print(line)
    if found:
        print(f"{len(found)} findings: this is not the pack that was made.")
        return 1
    print(f"{len(manifest['files'])} files as stated; month {manifest['month']}; manifest {own}.")
    if not asked.sha256:
        print("The pack agrees with itself. Compare with what was signed: --sha256 HASH.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
