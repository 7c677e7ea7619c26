"""The program that fills an extract: it writes the rows one person may see into a file that is theirs.

Started by :mod:`app.workbench.extracts` in a process of its own, so that copying a large warehouse neither
slows nor grows the pages. The request, JSON on standard input, names the warehouse, the new file, and for
each table the statement that is already narrowed to the person's scope, with the sentences of its columns.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import duckdb


def main() -> None:
    """Fill the extract that standard input describes."""
    request = json.load(sys.stdin)
    with duckdb.connect(":memory:", config={"threads": "2", "python_enable_replacements": "false"}) as filler:
        filler.execute("set TimeZone = 'UTC'")
        filler.execute(f"attach {_text(request['warehouse'])} as warehouse (read_only)")
        filler.execute(f"attach {_text(request['extract'])} as extract")
        filler.execute("use warehouse")  # the statements name its tables
        filler.execute("begin")  # one, or each of a thousand comments waits for the disk
        for table in request["tables"]:
            _fill(filler, table)
        filler.execute("commit")
        filler.execute("use memory")
        filler.execute("detach extract")


def _fill(filler: duckdb.DuckDBPyConnection, table: dict[str, Any]) -> None:
    place = f"extract.main.{_name(table['name'])}"
    filler.execute(f"create table {place} as {table['sql']}")
    filler.execute(f"comment on table {place} is {_text(table['meaning'])}")
    for column, meaning in table["columns"].items():
        filler.execute(f"comment on column {place}.{_name(column)} is {_text(meaning)}")


def _name(identifier: str) -> str:
    return '"' + identifier.replace('"', '""') + '"'


def _text(told: str) -> str:
    return "'" + told.replace("'", "''") + "'"


if __name__ == "__main__":
    main()
