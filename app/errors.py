"""Errors of the application, as one tree.

AppError
├── ExportError         an export could not be made or read
│   └── ExportRefused   the rows may not leave, or would not be complete
├── BuildError          the warehouse could not be built
│   ├── BuildFailed     a step failed; the generation before stays the current one
│   └── BuildBusy       another build holds the lock
├── WarehouseError      a generation cannot be read
│   └── QuestionError   a question was asked that does not exist, or with filters it does not take
├── WorkbenchError      a query of a person could not be answered
│   ├── QueryRefused    it is no single question over the tables, or not valid SQL
│   └── QueryStopped    it took more time, memory or room than a query may take
├── ServeError          the pages could not be started
│   └── PagesKilled     they were there, and a signal killed them
├── SettingError        an environment variable says what cannot be done
├── SignInError         how people sign in is declared in a way that cannot be used
├── ReviewError         a review could not be made
├── CheckError          a monthly check, or its evidence pack, could not be made or read
│   └── PackRefused     the pack is not what it was, or would overwrite something
├── BackupError         a backup could not be made, read or restored
├── RiskError           the checks between months could not look
├── BinderError         the EU AI Act binder could not be made
└── (each part of the application adds its own below: demo)

Every message has three parts: what happened · with which values · what to do now.
"""

from __future__ import annotations

from typing import ClassVar

from ingest.errors import IngestError
from runner.errors import RunnerError


class AppError(Exception):
    """Base of every error the application raises on purpose.

    ``exit_code`` is what the command line ends with: 1 a finding or a refusal, 2 it could not be done.
    """

    exit_code: ClassVar[int] = 2


class ExportError(AppError):
    """An export could not be made or read."""


class ExportRefused(ExportError):
    """The rows may not leave, or would not be complete; nothing was written."""

    exit_code: ClassVar[int] = 1


class BuildError(AppError):
    """The warehouse could not be built; the generation before stays the current one."""


class BuildFailed(BuildError):
    """A step of the build failed: ``node`` names it (a model, a test, or a stage), ``problem`` says why."""

    def __init__(self, node: str, problem: str, kept: str, advice: str):
        self.node = node
        self.problem = problem
        super().__init__(f"Build failed at {node}: {problem}. {kept} {advice}")


class BuildBusy(BuildError):
    """Another build holds the lock."""


class WarehouseError(AppError):
    """A generation cannot be read."""


class QuestionError(WarehouseError):
    """A question was asked that does not exist, or with filters it does not take."""


class WorkbenchError(AppError):
    """A query of a person could not be answered."""


class QueryRefused(WorkbenchError):
    """The query is no single question over the tables, or not valid SQL."""

    exit_code: ClassVar[int] = 1


class QueryStopped(WorkbenchError):
    """The query took more time, memory or room than a query may take; nothing of it is left."""

    exit_code: ClassVar[int] = 1


class ReviewError(AppError):
    """A review could not be made: a quarter, a rule or a decision that is not there."""


class CheckError(AppError):
    """A monthly check, or its evidence pack, could not be made or read."""


class PackRefused(CheckError):
    """The evidence pack is not what it was, or would overwrite something else; nothing was written."""

    exit_code: ClassVar[int] = 1


class RiskError(AppError):
    """The checks between months could not look: a rule, a build or a text that cannot be read."""


class BinderError(AppError):
    """The EU AI Act binder could not be made or its requirements not be read."""


class ServeError(AppError):
    """The pages could not be started."""


class PagesKilled(ServeError):
    """The pages were there and were killed: no mistake in how they were started."""

    exit_code: ClassVar[int] = 137  # what a shell says of a child that was killed


class SettingError(AppError):
    """An environment variable says what cannot be done."""


class BackupError(AppError):
    """A backup could not be made, read or restored."""


class SignInError(AppError):
    """How people sign in is declared in a way that cannot be used; nobody gets in."""


class DemoError(AppError):
    """The demo workspace could not be made."""


class DemoRefused(DemoError):
    """The workspace is not a demo's, and is left as it is."""

    exit_code: ClassVar[int] = 1


PRODUCT_ERRORS: tuple[type[Exception], ...] = (AppError, IngestError, RunnerError)
"""Errors whose text is for the reader, on the terminal and on a page; anything else is a defect."""
