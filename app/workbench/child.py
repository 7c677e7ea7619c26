"""The program that answers one query: a process of its own that can read one extract and nothing else.

Started by :mod:`app.workbench.processes` with the extract as an open file descriptor and no environment; the
request comes as JSON on standard input, the answer goes to standard output: one JSON line that says what
became of the query, then the rows as an Arrow stream. The engine's own gates (nothing outside the file, no
settings) are one wall; the limits of the operating system are the other, because ``repeat('x', 2e9)`` heeds
neither a memory limit nor an interrupt of the engine. The boundary is that foreign rows are not in the file.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import resource
import sys
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.ipc

ENGINE: dict[str, str | bool | int | float | list[str]] = {
    "enable_external_access": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "python_enable_replacements": "false",  # else a query reads the variables of this program
    "temp_directory": "",
    "threads": "1",
}
_NOBODY = 65534
_ALLOWED = {duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN}
_PLAIN = (
    pa.types.is_integer,
    pa.types.is_floating,
    pa.types.is_decimal,
    pa.types.is_boolean,
    pa.types.is_string,
    pa.types.is_date,
    pa.types.is_timestamp,
)


def main() -> None:
    """Answer the request on standard input."""
    request = json.load(sys.stdin)
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # whatever an engine prints is no answer
    limit(request["memory_bytes"], request["cpu_seconds"])
    become_nobody()
    try:
        told, table = answer(request)
    except (MemoryError, duckdb.OutOfMemoryException):
        told, table = {"outcome": "stopped", "message": "memory"}, None
    except (duckdb.Error, pa.ArrowException, RuntimeError, ValueError) as error:
        told, table = {"outcome": "failed", "message": str(error)[:4000]}, None
    answers.write(json.dumps(told).encode() + b"\n")
    if table is not None:
        with pa.ipc.new_stream(answers, table.schema) as stream:
            stream.write_table(table)
    answers.flush()
    os._exit(0)  # without the engine's farewell, which could wait


def limit(memory_bytes: int, cpu_seconds: int) -> None:
    """Bound this process: memory, processor time, no file written, few files open, no core dump."""
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def become_nobody() -> None:
    """Give up root's rights, where this process has them: they would let a query empty its own extract.

    The engine lets a query write to the file it has open, by the name of the descriptor; for anybody but
    root the file's mode forbids it. A container may have no such user: then the extract is only found
    changed afterwards, and filled anew.
    """
    if os.geteuid() != 0:
        return
    with contextlib.suppress(OSError):
        os.setgroups([])
        os.setgid(_NOBODY)
        os.setuid(_NOBODY)


def answer(request: dict[str, Any]) -> tuple[dict[str, object], pa.Table | None]:
    """What became of the request, and its rows where there are some: at most ``row_limit`` of them."""
    settings = ENGINE | {"memory_limit": f"{request['memory_bytes'] // 4 // 2**20}MiB"}
    with duckdb.connect(f"/dev/fd/{request['extract']}", read_only=True, config=settings) as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute("set lock_configuration = true")
        statements = connection.extract_statements(request["sql"])
        refusal = _refusal(statements)
        if refusal:
            return {"outcome": "refused", "message": refusal}, None
        found = connection.execute(statements[0]).to_arrow_reader(2048)
        table, is_complete = _read(found, request["row_limit"], request["byte_limit"])
        if table is None:
            return {"outcome": "stopped", "message": "bytes"}, None
        return {"outcome": "answered", "is_complete": is_complete}, _plain(table)


def _refusal(statements: list[duckdb.Statement]) -> str:
    """Why these statements are not answered, empty when they are."""
    if len(statements) != 1:
        return f"it holds {len(statements)} statements, and one is asked at a time"
    if statements[0].type not in _ALLOWED:
        kind = str(statements[0].type).rpartition(".")[2].replace("_", " ")
        return f"{kind} is no question: only select, describe, show, summarize and explain are answered"
    return ""


def _read(found: pa.RecordBatchReader, row_limit: int, byte_limit: int) -> tuple[pa.Table | None, bool]:
    """The first rows and whether they are all; None when they would be too large to show."""
    batches: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in found:
        batches.append(batch)
        rows, size = rows + batch.num_rows, size + batch.nbytes
        if size > byte_limit:
            return None, False
        if rows > row_limit:
            break
    table = pa.Table.from_batches(batches, schema=found.schema)
    return table.slice(0, row_limit), rows <= row_limit


def _plain(table: pa.Table) -> pa.Table:
    """``table`` with a name of its own for each column, and text for what no table cell can hold."""
    columns, names = [], []
    for place, field in enumerate(table.schema):
        column = table.column(place)
        if not any(is_plain(field.type) for is_plain in _PLAIN):
            column = pa.array([_word(cell) for cell in column.to_pylist()], pa.string())
        columns.append(column)
        names.append(field.name if field.name not in names else f"{field.name}_{place + 1}")
    return pa.table(dict(zip(names, columns, strict=True)))


def _word(cell: Any) -> str | None:
    if cell is None:
        return None
    if isinstance(cell, pa.MonthDayNano):
        rest = dt.timedelta(days=cell.days, microseconds=cell.nanoseconds // 1000)
        return f"{cell.months} months, {rest}" if cell.months else str(rest)
    return str(cell)


if __name__ == "__main__":
    main()
