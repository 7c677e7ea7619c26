"""Files of rules that a workspace may have of its own: YAML into a model, what is wrong with it in words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from app.errors import AppError

Model = TypeVar("Model", bound=BaseModel)


def read_model(
    model: type[Model],
    text: str,
    *,
    what: str,
    name: str,
    error: type[AppError],
    change: Callable[[dict[str, Any]], None] | None = None,
) -> Model:
    """The YAML ``text`` as ``model``; ``change`` may alter the tree before it is validated.

    ``what`` and ``name`` say in an error which rules and which file. Raises ``error`` with the place and the
    reason when the text is no YAML or does not fit.
    """
    try:
        tree = yaml.safe_load(text)
        if change is not None:
            change(tree)
        return model.model_validate(tree)
    except yaml.YAMLError as problem:
        raise error(f"{what} not readable: {name} is no YAML ({problem}). Correct the file.") from problem
    except ValidationError as problem:
        first = problem.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise error(f"{what} not valid: {name}, {place}: {first['msg']}. Correct the file.") from problem
