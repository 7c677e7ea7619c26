"""The page of the registry names every key, and its examples are one valid file."""

from __future__ import annotations

import re
import typing
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel

from runner.control.registry import Registry
from runner.control.registry_file import parse_registry

PAGE = (Path(__file__).resolve().parent.parent / "docs" / "registry.md").read_text(encoding="utf-8")


def models(annotation: object) -> Iterator[type[BaseModel]]:
    """Every model that a registry is made of."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
        for field in annotation.model_fields.values():
            yield from models(field.annotation)
    for part in typing.get_args(annotation):
        yield from models(part)


def test_every_key_of_the_registry_is_explained_in_a_table() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| `")]
    explained = {key for row in rows for key in re.findall(r"`(\w+)`", row)}
    keys = {
        field.alias or name
        for model in models(Registry)
        if model is not Registry
        for name, field in model.model_fields.items()
    }
    assert keys <= explained


def test_every_part_of_the_registry_has_its_section() -> None:
    headings = re.findall(r"^## (.+)$", PAGE, flags=re.MULTILINE)
    parts = {part for heading in headings for part in heading.split(" and ")}
    assert parts == set(Registry.model_fields)


def test_the_examples_are_one_valid_registry_that_uses_every_key() -> None:
    text = "\n".join(re.findall(r"```yaml\n(.*?)```", PAGE, flags=re.DOTALL))
    registry = parse_registry(text, Path("docs/registry.md"))
    assert set(registry.model_fields_set) == set(Registry.model_fields)
    for model in models(Registry):
        for name, field in model.model_fields.items():
            assert re.search(rf"\b{field.alias or name}:", text), f"{model.__name__}.{name}"
