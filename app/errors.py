"""Errors of the application, as one tree.

AppError
└── (each part of the application adds its own below: build, warehouse, exports, pages, demo)

Every message has three parts: what happened · with which values · what to do now.
"""

from __future__ import annotations

from typing import ClassVar


class AppError(Exception):
    """Base of every error the application raises on purpose.

    ``exit_code`` is what the command line ends with: 1 a finding or a refusal, 2 it could not be done.
    """

    exit_code: ClassVar[int] = 2
