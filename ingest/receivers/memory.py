"""The memory of a receiving process: set once, before anything large is loaded. Figures: at full load."""

from __future__ import annotations

import ctypes
import gc
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

_GLIBC_ARENA_MAX = -8  # M_ARENA_MAX of malloc.h
# Decoding makes thousands of short-lived objects without cycles; at 700, Python's default, looking for
# cycles among them took a fifth of the CPU time.
_GC_THRESHOLDS = (50_000, 20, 100)


class _WithoutPandas(MetaPathFinder):
    """Arrow imports pandas where it finds it, to ask whether a list is one of its own: 44 MiB for a no."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name == "pandas":
            raise ModuleNotFoundError("a receiver does without pandas", name=name)
        return None


def keep_memory_flat() -> None:
    """Two heaps for all threads, Arrow's memory given back, no pandas.

    With a heap for each thread, as glibc does, a load stood at 440 MiB, with two at 280.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # glibc's; other systems do without
    if sys.platform == "linux" and mallopt is not None:
        mallopt(_GLIBC_ARENA_MAX, 2)
    sys.meta_path.insert(0, _WithoutPandas())

    import pyarrow as pa

    pa.set_memory_pool(pa.system_memory_pool())  # gives memory back after a seal; the default pool keeps it


def collect_rarely() -> None:
    """What is loaded by now stays, and the rest is looked through less often."""
    gc.collect()
    gc.set_threshold(*_GC_THRESHOLDS)
    gc.freeze()
