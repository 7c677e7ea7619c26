"""Errors of the application, as one tree.

AppError
├── ExportError         an export could not be made or read
│   └── ExportRefused   the rows may not leave, or would not be complete
├── ServeError          the pages could not be started
└── (each part of the application adds its own below: build, warehouse, demo)

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


class ServeError(AppError):
    """The pages could not be started."""


PRODUCT_ERRORS: tuple[type[Exception], ...] = (AppError, IngestError, RunnerError)
"""Errors whose text is for the reader, on the terminal and on a page; anything else is a defect."""
