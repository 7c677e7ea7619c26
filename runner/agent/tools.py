"""Tools: Python functions by ``module:function``, with arguments checked against their type hints.

The same check serves the model's call, the digest an approval is bound to, and a person's changed arguments.
Nothing here imports a model SDK.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module

from pydantic import BaseModel, ConfigDict, ValidationError, create_model
from pydantic_core import to_jsonable_python

from runner.errors import ToolUnusable

IDEMPOTENCY_KEY = "idempotency_key"


class UpstreamError(Exception):
    """For tools to raise: the service behind the tool failed. Counted as class upstream, not as a crash."""


class NotThere(UpstreamError):
    """For tools to raise: the thing asked for does not exist at the service behind the tool."""


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """Validated arguments: Python ``values`` for the call, canonical JSON, and its SHA256 in hex."""

    values: Mapping[str, object]
    canonical: str
    digest: str

    @property
    def plain(self) -> dict[str, object]:
        """The arguments as JSON data."""
        return dict(json.loads(self.canonical))


@dataclass(frozen=True, kw_only=True)
class InvalidArguments:
    """Arguments that do not fit the tool; ``problem`` says where and why, in words for model and person."""

    problem: str


@dataclass(frozen=True)
class Binding:
    """A loaded tool function and the model of its arguments."""

    name: str
    function: Callable[..., object]
    model: type[BaseModel]
    description: str

    @property
    def takes_idempotency_key(self) -> bool:
        """True when the function wants a key that is the same for every try of one call."""
        return IDEMPOTENCY_KEY in inspect.signature(self.function).parameters

    @property
    def argument_names(self) -> tuple[str, ...]:
        """Names of the arguments that a model gives."""
        return tuple(self.model.model_fields)

    def json_schema(self) -> dict[str, object]:
        """JSON schema of the arguments, without titles."""
        schema = self.model.model_json_schema()
        for part in (schema, *schema.get("properties", {}).values()):
            part.pop("title", None)
        return schema

    def check(self, raw: str | Mapping[str, object] | None) -> Arguments | InvalidArguments:
        """Validate arguments as a model or a person gave them: JSON text or a mapping."""
        try:
            if isinstance(raw, str):
                checked = self.model.model_validate_json(raw or "{}")
            else:
                checked = self.model.model_validate(raw or {})
        except ValidationError as error:
            return InvalidArguments(problem=_problem(error))
        canonical = json.dumps(
            checked.model_dump(mode="json"), sort_keys=True, separators=(",", ":"), ensure_ascii=False
        )
        return Arguments(
            values={name: getattr(checked, name) for name in self.model.model_fields},
            canonical=canonical,
            digest=hashlib.sha256(canonical.encode()).hexdigest(),
        )


@lru_cache(maxsize=512)
def bind(name: str, function: str) -> Binding:
    """The tool ``name`` = ``module:function``. Raises ToolUnusable when it cannot be loaded or typed."""
    target = _load(name, function)
    try:
        hints = typing.get_type_hints(target, include_extras=True)
    except NameError as error:
        raise ToolUnusable(
            name, function, f"its type hints name {error.name}, which is not defined"
        ) from error
    fields: dict[str, tuple[object, object]] = {}
    for parameter in inspect.signature(target).parameters.values():
        if parameter.name == IDEMPOTENCY_KEY:
            continue
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
            raise ToolUnusable(name, function, f"parameter {parameter.name} cannot be given by name")
        if parameter.name not in hints:
            raise ToolUnusable(name, function, f"parameter {parameter.name} has no type hint")
        default = ... if parameter.default is parameter.empty else parameter.default
        fields[parameter.name] = (hints[parameter.name], default)
    model = create_model(f"{name}_arguments", __config__=ConfigDict(extra="forbid"), **fields)  # type: ignore[call-overload]  # the fields are only known here
    description = inspect.cleandoc(target.__doc__ or "").partition("\n\n")[0]
    return Binding(name, target, model, description)


def _load(name: str, function: str) -> Callable[..., object]:
    module_name, _, attribute = function.partition(":")
    try:
        module = import_module(module_name)
    except ImportError as error:
        raise ToolUnusable(name, function, f"module {module_name} cannot be imported ({error})") from error
    target = getattr(module, attribute, None)
    if not callable(target):
        raise ToolUnusable(name, function, f"module {module_name} has no function {attribute}")
    return typing.cast("Callable[..., object]", target)


def result_text(result: object) -> str:
    """A tool's result as JSON text, the form in which it is kept and replayed. Raises ValueError."""
    return json.dumps(to_jsonable_python(result), ensure_ascii=False)


def _problem(error: ValidationError) -> str:
    found = []
    for detail in error.errors(include_url=False, include_input=False):
        place = ".".join(str(part) for part in detail["loc"]) or "arguments"
        found.append(f"{place}: {detail['msg']}")
    return "; ".join(found)
