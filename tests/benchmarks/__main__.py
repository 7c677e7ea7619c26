"""``./fleetbook bench``: lists the benchmarks of this folder; with names, or ``all``, runs them.

A benchmark is a module here with a docstring, whose first line says what is measured, and ``main()``, which
prints its figures, or ``main(options)`` when it takes options (``--name=value``). Figures depend on the
machine: each run starts with what it ran on. ``report`` runs them all and writes what came out.
"""

from __future__ import annotations

import ast
import importlib
import os
import platform
import sys
import time
from pathlib import Path

from tests.benchmarks._figures import started as started_with

FOLDER = Path(__file__).parent


def titles() -> dict[str, str]:
    """Name → first line of the docstring, for each benchmark of this folder, without importing it."""
    found = {}
    for path in sorted(FOLDER.glob("[!_]*.py")):
        docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        found[path.stem] = docstring.partition("\n")[0]
    return found


def main(words: list[str]) -> int:
    """Run the benchmarks named, or list what there is. Exit code 2 for a name that is no benchmark."""
    if words[:1] == ["report"]:
        from tests.benchmarks import _report

        _report.main(words[1:])
        return 0
    known = titles()
    options = [word for word in words if word.startswith("--")]
    names = [word for word in words if word not in options]
    unknown = [name for name in names if name not in known and name != "all"]
    if unknown:
        print(
            f"No benchmark is called {unknown[0]}. There are: {', '.join(known) or 'none yet'}.",
            file=sys.stderr,
        )
        return 2
    if not names:
        for name, title in known.items():
            print(f"{name:<20} {title}")
        print(f"{'report':<20} All of them in one run, as a page with charts and as JSON.")
        print("Run some with `./fleetbook bench <name> …`, each with `./fleetbook bench all`.")
        return 0
    load = f"{os.getloadavg()[0]:.1f}"
    print(f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, load {load}")
    for name in known if "all" in names else names:
        print(f"\n== {name}: {known[name]}")
        started = time.perf_counter()
        benchmark = importlib.import_module(f"tests.benchmarks.{name}").main
        started_with(benchmark, options)
        print(f"== {name} took {time.perf_counter() - started:.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
