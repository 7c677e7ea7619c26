"""Tells what is declared around agents: tools, sources, servers, templates, schedules, notices, alerts.

Each kind has one event for what is new or changed and one for what is gone. The declaration itself is the
payload, so that the log alone says what was in force; a notification's URL may hold a secret and stays out.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from ingest.contract import Value
from ingest.events import TYPE_BY_NAME
from runner.control.declared import Declared
from runner.control.registry import Registry, Template, Tool
from runner.control.registry_extras import Alert, KnowledgeSource, McpServer, Notification, Schedule
from runner.control.store import Transaction

Thing = TypeVar("Thing", bound=Declared)
Columns = dict[str, Value]


@dataclass(frozen=True)
class _Telling:
    """Where the differences of one application go, and whose they are."""

    tx: Transaction
    why: Mapping[str, Value]

    def differences(
        self,
        kind: str,
        old: Mapping[str, Thing],
        new: Mapping[str, Thing],
        columns: Callable[[str, Thing], Columns],
        *,
        removed: Callable[[str, Thing], Columns],
    ) -> None:
        """``<kind>_declared`` for what is new or different, ``<kind>_removed`` for what is gone."""
        for name, thing in new.items():
            if old.get(name) != thing:
                text = None if isinstance(thing, Notification) else canonical(thing)
                self.emit(f"{kind}_declared", columns(name, thing), text)
        for name, thing in old.items():
            if name not in new:
                self.emit(f"{kind}_removed", removed(name, thing))

    def emit(self, event_type: str, columns: Columns, text: str | None = None) -> None:
        takes_reason = "reason" in TYPE_BY_NAME[event_type].optional
        why = self.why if takes_reason else {"actor_id": self.why["actor_id"]}
        self.tx.emit(event_type, {**why, **columns}, text=text, kind="specification")


def tell_around(
    tx: Transaction, applied: Registry | None, declared: Registry, why: Mapping[str, Value]
) -> None:
    """Tell every difference around the agents from ``applied`` to ``declared``.

    ``why`` is the actor of the change and its reason, in the columns of an event.
    """
    telling = _Telling(tx, why)
    old = applied or Registry(company=declared.company, roles={}, teams={}, people={})
    telling.differences("tool", old.tools, declared.tools, _tool, removed=_named("tool_name"))
    telling.differences(
        "knowledge", old.knowledge, declared.knowledge, _source, removed=_named("knowledge_id")
    )
    servers = _named("server_id")
    telling.differences("mcp_server", old.mcp_servers, declared.mcp_servers, servers, removed=servers)
    telling.differences(
        "template", old.templates, declared.templates, _template, removed=_named("template_id")
    )
    telling.differences("schedule", old.schedules, declared.schedules, _schedule, removed=_scheduled)
    places = _named("notification_id")
    telling.differences(
        "notification",
        {one.id: one for one in old.notifications},
        {one.id: one for one in declared.notifications},
        places,
        removed=places,
    )
    telling.differences(
        "alert",
        {one.id: one for one in old.alerts},
        {one.id: one for one in declared.alerts},
        _alert,
        removed=_named("alert_id"),
    )
    if declared.oversight != old.oversight:
        telling.emit("oversight_declared", {}, canonical(declared.oversight))


def canonical(thing: Declared) -> str:
    """A declaration as canonical JSON: sorted keys, compact."""
    tree = thing.model_dump(mode="json", by_alias=True)
    return json.dumps(tree, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _named(
    column: str,
) -> Callable[[str, Tool | KnowledgeSource | McpServer | Template | Notification | Alert], Columns]:
    return lambda name, _thing: {column: name}


def _tool(name: str, tool: Tool) -> Columns:
    return {"tool_name": name, "tool_effect": tool.effect, "is_grant_needed": tool.needs_grant}


def _alert(name: str, alert: Alert) -> Columns:
    return {"alert_id": name, "metric_id": alert.metric, "team_id": alert.team, "agent_id": alert.agent}


def _source(name: str, source: KnowledgeSource) -> Columns:
    return {"knowledge_id": name, "sensitivity": source.sensitivity, "owner_id": source.owner}


def _template(name: str, template: Template) -> Columns:
    return {"template_id": name, "template_version": template.version}


def _scheduled(name: str, schedule: Schedule) -> Columns:
    return {"rule_id": name, "agent_id": schedule.agent}


def _schedule(name: str, schedule: Schedule) -> Columns:
    return {
        **_scheduled(name, schedule),
        "person_id": schedule.run_as,
        "cron": schedule.cron,
        "time_zone": schedule.time_zone,
        "is_paused": schedule.paused,
    }
