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
from functools import cached_property, lru_cache
from importlib import import_module

from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from runner.errors import ToolUnusable

IDEMPOTENCY_KEY = "idempotency_key"


class UpstreamError(Exception):
    """For tools to raise: the service behind the tool failed. Counted as class upstream, not as a crash."""


class NotThere(UpstreamError):
    """For tools to raise: the thing asked for does not exist at the service behind the tool."""


class ToolSaysRetry(Exception):
    """A tool asked the model to try again with other arguments."""


class CallRefused(Exception):
    """A rule said no while the call was being made, and nothing happened; ``rule`` is its id."""

    def __init__(self, rule: str, sentence: str):
        self.rule = rule
        super().__init__(sentence)


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


class ArgumentCheck(typing.Protocol):
    """What every tool has, wherever it is: a name, a description for the model, and a check of arguments."""

    @property
    def name(self) -> str: ...
    @property
    def description(self) -> str: ...
    @property
    def takes_idempotency_key(self) -> bool:
        """True when every try of one call is told apart from other calls by a key."""
        ...

    def json_schema(self) -> dict[str, object]:
        """JSON schema of the arguments."""
        ...

    def check(self, raw: str | Mapping[str, object] | None) -> Arguments | InvalidArguments:
        """Validate arguments as a model or a person gave them: JSON text or a mapping."""
        ...


@dataclass(frozen=True)
class Binding:
    """A loaded tool function and the model of its arguments."""

    name: str
    function: Callable[..., object]
    model: type[BaseModel]
    description: str

    @cached_property
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
        values = {name: getattr(checked, name) for name in self.model.model_fields}
        return arguments_of(values, checked.model_dump(mode="json"))


def arguments_of(values: Mapping[str, object], plain: Mapping[str, object]) -> Arguments:
    """Validated ``values`` and the same as JSON data, with their canonical form and its digest."""
    canonical = json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    digest = hashlib.sha256(canonical.encode("utf-8", "replace")).hexdigest()
    return Arguments(values=values, canonical=canonical, digest=digest)


@lru_cache(maxsize=512)
def bind(name: str, function: str) -> Binding:
    """The tool ``name`` = ``module:function``. Raises ToolUnusable when it cannot be loaded or typed."""
    return bound(name, function, _load(name, function))


def bound(name: str, function: str, target: Callable[..., object]) -> Binding:
    """The tool ``name`` that is the loaded ``target``; ``function`` is what errors call it."""
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


def _problem(error: ValidationError) -> str:
    found = []
    for detail in error.errors(include_url=False, include_input=False):
        place = ".".join(str(part) for part in detail["loc"]) or "arguments"
        found.append(f"{place}: {detail['msg']}")
    return "; ".join(found)
