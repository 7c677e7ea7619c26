"""What we ship is made of: licences, bill of materials, known vulnerabilities, each by a tool of the field.

    python .ci/supply_chain.py licences     every package of requirements.lock has a licence we accept
    python .ci/supply_chain.py sbom         writes artefacts/sbom.cdx.json (CycloneDX)
    python .ci/supply_chain.py advisories   known vulnerabilities; says so where the service is not reached

Ends with 1 for a finding, 2 when it could not be done.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LOCK = ROOT / "requirements.lock"
BINARIES = Path(sys.executable).parent
PATIENCE_S = 120.0

ACCEPTED = re.compile(
    r"MIT|BSD|Apache|ISC|PSF|Python Software Foundation|MPL|Mozilla Public License 2|0BSD|Zlib|CC0|Unlicense"
    r"|Artistic"  # text-unidecode: one of two to choose from
    r"|LGPL-3\.0-only"  # psycopg: used as it is, as a library of its own
)


def locked() -> set[str]:
    """Names of the packages that users install."""
    names = re.findall(r"(?m)^([A-Za-z0-9._-]+)==", LOCK.read_text(encoding="utf-8"))
    return {_plain(name) for name in names}


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _run(*command: str, patience_s: float | None = None) -> subprocess.CompletedProcess[str]:
    words = [str(BINARIES / command[0]), *command[1:]]
    return subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=patience_s)


def licences() -> int:
    """Name the locked packages whose licence is not one that we accept."""
    wanted = locked()
    done = _run("pip-licenses", "--format=json", "--from=mixed")
    rows = {_plain(row["Name"]): row["License"] for row in json.loads(done.stdout)}
    refused = {name: rows[name] for name in sorted(wanted & rows.keys()) if not ACCEPTED.search(rows[name])}
    for name, licence in refused.items():
        print(f"{name}: {licence.splitlines()[0]} is no licence that we accept")
    missing = len(wanted - rows.keys())  # of other platforms
    print(f"{len(wanted & rows.keys())} packages looked at, {missing} of other platforms not")
    return 1 if refused else 0


def sbom() -> int:
    """Write the bill of materials of what users install."""
    target = ROOT / "artefacts" / "sbom.cdx.json"
    target.parent.mkdir(exist_ok=True)
    command = ("cyclonedx-py", "requirements", str(LOCK), "--pyproject", "pyproject.toml", "--of", "JSON")
    done = _run(*command, "--output-reproducible", "-o", str(target))
    if done.returncode:
        print(done.stderr)
        return 2
    listed = {_plain(part["name"]) for part in json.loads(target.read_text(encoding="utf-8"))["components"]}
    if lacking := sorted(locked() - listed):
        print(f"the bill of materials lacks {', '.join(lacking)}")
        return 1
    print(f"{target.relative_to(ROOT)}: {len(listed)} packages")
    return 0


def advisories() -> int:
    """Name the locked packages with known vulnerabilities; unknown is said, never taken for none."""
    command = ("pip-audit", "-r", str(LOCK), "--no-deps", "--disable-pip", "--format", "json")
    try:
        found = json.loads(_run(*command, patience_s=PATIENCE_S).stdout)["dependencies"]
    except (ValueError, subprocess.TimeoutExpired) as error:
        print(f"not checked: the advisory service was not reached ({error})"[:300])
        return 0
    unknown = [one["name"] for one in found if "skip_reason" in one]
    if unknown:
        print(f"not checked: {len(unknown)} of {len(found)} packages, the advisory service does not answer")
    for one in found:
        for known in one.get("vulns", []):
            print(
                f"{one['name']} {one['version']}: {known['id']}, mended in {', '.join(known['fix_versions'])}"
            )
    return 1 if any(one.get("vulns") for one in found) else 0


if __name__ == "__main__":
    sys.exit({"licences": licences, "sbom": sbom, "advisories": advisories}[sys.argv[1]]())
