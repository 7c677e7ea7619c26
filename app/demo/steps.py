"""The steps of `fleetbook demo` on a terminal: a moving bar while one works, one line when it is done."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

TITLE_WIDTH = 12
SHOWN_SECONDS = 1.0  # a shorter step needs no time beside it


class Step:
    """One step at work: :meth:`show` moves its bar, :meth:`says` sets the line that stays."""

    def __init__(self, progress: Progress, task: TaskID, title: str) -> None:
        self._progress = progress
        self._task = task
        self._title = title
        self.result = ""

    def show(self, what: str, done: int, of: int) -> None:
        """What is being done, how much of it is done and how much there is."""
        self._progress.update(self._task, description=f"{self._title}: {what}", completed=done, total=of)

    def says(self, result: str) -> None:
        """What to say about the step when it is done."""
        self.result = result


class Steps:
    """Steps one after the other on ``console``."""

    def __init__(self, console: Console) -> None:
        self._console = console

    @contextmanager
    def step(self, title: str) -> Iterator[Step]:
        """One step; its line is printed when the block ends without an error."""
        began = time.monotonic()
        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
        # A file or pipe gets the lines only: a bar that cannot move leaves empty lines there.
        hidden = not self._console.is_terminal
        with Progress(*columns, console=self._console, transient=True, disable=hidden) as progress:
            step = Step(progress, progress.add_task(title, total=None), title)
            yield step
        seconds = time.monotonic() - began
        spent = f"  {seconds:.0f} s" if seconds >= SHOWN_SECONDS else ""
        name = f"{title:<{TITLE_WIDTH}}"
        line = Text.assemble(("✓ ", "green"), (name, "bold"), step.result, (spent, "dim"))
        self._console.print(line, soft_wrap=True)
