"""Figures of a benchmark as data: what the report keeps, beside the tables that a run prints."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Literal

Kind = Literal["peer", "limit"]


@dataclass(frozen=True, kw_only=True)
class Beside:
    """What was measured in the same run: a peer that does the same, or a limit that nothing can beat."""

    name: str
    value: float
    kind: Kind


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One measured number. ``key`` names it for :mod:`tests.benchmarks.scale`, where that reads it."""

    bench: str
    name: str
    value: float
    unit: str
    key: str = ""
    beside: Beside | None = None

    @property
    def ratio(self) -> float | None:
        """Ours by theirs; None without anything beside it, or where that is zero."""
        return self.value / self.beside.value if self.beside and self.beside.value else None


_KEPT: ContextVar[list[Figure] | None] = ContextVar("figures", default=None)


def note(
    bench: str, name: str, value: float, unit: str, *, key: str = "", beside: Beside | None = None
) -> None:
    """Keep a figure when a report is being made; otherwise nothing: the run prints it anyway."""
    kept = _KEPT.get()
    if kept is not None:
        kept.append(Figure(bench=bench, name=name, value=float(value), unit=unit, key=key, beside=beside))


@contextmanager
def keeping() -> Iterator[list[Figure]]:
    """The figures that are noted inside the ``with`` block."""
    kept: list[Figure] = []
    token = _KEPT.set(kept)
    try:
        yield kept
    finally:
        _KEPT.reset(token)


def started(benchmark: Callable[..., None], options: Sequence[str]) -> None:
    """Call a benchmark's ``main`` with ``options``, which not every one takes. Ends the command for some."""
    if inspect.signature(benchmark).parameters:
        benchmark(options)
    elif options:
        raise SystemExit(f"It takes no options: {' '.join(options)}.")
    else:
        benchmark()


def peer(name: str, value: float) -> Beside:
    """A peer's number."""
    return Beside(name=name, value=float(value), kind="peer")


def limit(name: str, value: float) -> Beside:
    """A limit's number."""
    return Beside(name=name, value=float(value), kind="limit")
