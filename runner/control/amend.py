"""Changes of registry.yaml by command or page: the file is edited in place, checked, and applied as one step.

The file stays the declaration: comments and order survive, and a reviewer sees the same change in git. The
events are those of ``fleetbook registry apply``.
"""

from __future__ import annotations

import fcntl
import io
import os
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap

from runner.control import declare
from runner.control.access import WHOLE_COMPANY, Target
from runner.control.declared import Action
from runner.control.owners import require_owner_or
from runner.control.plan import Plan
from runner.control.registry import Registry
from runner.control.registry_file import parse_registry
from runner.errors import RegistryDrifted

if TYPE_CHECKING:
    from runner.control.plane import Control

# Changes the tree of registry.yaml in place.
Edit: TypeAlias = Callable[[CommentedMap], None]


def amended(text: str, edit: Edit, file: Path) -> tuple[str, Registry]:
    """``text`` of a registry after ``edit``, and what it declares then. Raises RegistryInvalid."""
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 110
    yaml.indent(mapping=2, sequence=4, offset=2)
    tree = yaml.load(text)
    edit(tree)
    out = io.StringIO()
    yaml.dump(tree, out)
    # The library leaves a space where it breaks a list of one line into two.
    changed = re.sub(r", +$", ",", out.getvalue(), flags=re.MULTILINE)
    return changed, parse_registry(changed, file)


def part(tree: CommentedMap, key: str) -> CommentedMap:
    """The mapping under ``key``, made when it is not there."""
    if tree.get(key) is None:
        tree[key] = CommentedMap()
    found = tree[key]
    assert isinstance(found, CommentedMap)  # the registry was valid before the edit
    return found


def flow(values: Mapping[str, object]) -> CommentedMap:
    """A mapping that is written in one line."""
    made = CommentedMap(values)
    made.fa.set_flow_style()
    return made


class Right(NamedTuple):
    """What a person must be allowed to do to make a change; owner and deputy of ``owned`` may it anyway."""

    action: Action
    target: Target
    owned: str | None = None


def amend(
    control: Control, edit: Edit, *, person_id: str, right: Right | None = None, reason: str | None = None
) -> Plan:
    """Edit the workspace's registry.yaml and apply it as ``person_id``; only then the file changes.

    It takes ``right``, or apply_registry without one; whoever calls it with a right makes sure that ``edit``
    changes nothing else. ``reason`` goes into the events.

    Raises RegistryDrifted when the file says what is not applied yet, RegistryInvalid, AccessRefused.
    """
    file = control.workspace.registry_file
    with _alone(file):
        text = file.read_text(encoding="utf-8")
        waiting = control.plan(parse_registry(text, file))
        if not waiting.is_empty:
            raise RegistryDrifted(file, len(waiting.changes))
        _require(control, person_id, right or Right("apply_registry", WHOLE_COMPANY))
        changed, declared = amended(text, edit, file)
        done = declare.apply(control.store, declared, person_id=person_id, reason=reason)
        replace_file(file, changed)
    control.relay.flush()
    return done


def _require(control: Control, person_id: str, right: Right) -> None:
    registry = control.registry()
    if right.owned is not None:
        require_owner_or(control, registry, person_id, right.action, right.owned)
    else:
        control.require(registry, person_id, right.action, right.target)


@contextmanager
def _alone(file: Path) -> Iterator[None]:
    """Changes come one after the other, so that none of them is written over."""
    handle = os.open(file.with_name(f".{file.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def replace_file(file: Path, text: str) -> None:
    """Write ``text`` whole or not at all: a reader never sees half a file."""
    descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    with os.fdopen(descriptor, "w", encoding="utf-8") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    Path(name).chmod(file.stat().st_mode)
    Path(name).replace(file)
