"""Arguments of tools whose schema is data: a JSON schema as a server showed it and a version froze it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, ValidationError
from referencing import Registry as References
from referencing.exceptions import Unresolvable

from runner.agent.tools import Arguments, InvalidArguments, arguments_of
from runner.control.tool_schemas import Shown

_LONGEST_PROBLEM = 500


@dataclass(frozen=True)
class SchemaBinding:
    """A tool of a server and the check of its arguments against the recorded schema."""

    name: str
    shown: Shown
    # Servers get the key beside the arguments, as metadata, but none has to heed it.
    takes_idempotency_key: bool = field(default=False, init=False)

    @property
    def description(self) -> str:
        """For the model, as the server gives it."""
        return self.shown.description

    def json_schema(self) -> dict[str, object]:
        """The recorded schema."""
        return dict(self.shown.input_schema)

    def check(self, raw: str | Mapping[str, object] | None) -> Arguments | InvalidArguments:
        """Validate arguments against the recorded schema; references to elsewhere are never followed."""
        try:
            given = json.loads(raw or "{}") if isinstance(raw, str) else dict(raw or {})
        except json.JSONDecodeError as error:
            return InvalidArguments(problem=f"Invalid JSON: {error.msg}")
        if not isinstance(given, dict):
            return InvalidArguments(problem="arguments: Input should be an object")
        validator = Draft202012Validator(self.json_schema(), registry=References())
        try:
            problem = "; ".join(_sentence(error) for error in validator.iter_errors(given))
        except (SchemaError, Unresolvable, RecursionError) as error:
            problem = f"the server's schema cannot be used ({type(error).__name__})"
        if problem:
            return InvalidArguments(problem=problem[:_LONGEST_PROBLEM])
        return arguments_of(given, given)


def _sentence(error: ValidationError) -> str:
    place = ".".join(str(part) for part in error.absolute_path) or "arguments"
    return f"{place}: {error.message}"
