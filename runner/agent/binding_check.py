"""Checks of a registry that need its tool functions and models: loadable, typed, and rules that fit them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from runner.agent.tools import Binding, bind
from runner.control.declared import nearest
from runner.control.providers import ELSEWHERE, check_name, usable
from runner.control.references import Path as Place
from runner.control.registry import Agent, Registry, ToolUse
from runner.control.registry_file import line_of
from runner.control.versions import ASK_PREFIX, SEARCH, freeze, ungated_tools
from runner.errors import ModelUnusable, Problem, RegistryInvalid, ToolUnusable

# Of a tool; what providers take.
_LONGEST_NAME = 63


def check_bindings(registry: Registry, file: Path) -> None:
    """Raise RegistryInvalid for tools that cannot be loaded, rules that do not fit them, unknown models.

    ``file`` is where ``registry`` was read from.
    """
    found = list(_problems(registry))
    if not found:
        return
    text = file.read_text(encoding="utf-8")
    problems = [
        Problem(line=line_of(text, place), path=".".join(str(part) for part in place), text=sentence)
        for place, sentence in found
    ]
    raise RegistryInvalid(file, tuple(sorted(problems, key=lambda problem: problem.line)))


def warnings_of(registry: Registry) -> list[str]:
    """What will be refused at the start of a run, though the registry is valid."""
    found: list[str] = []
    wallets = {budget.wallet for budget in registry.budgets}
    for agent_id, agent in registry.agents.items():
        found.extend(_unusable(agent_id, agent))
        open_tools = ungated_tools(freeze(registry, agent))
        if agent.risk.risk_class == "high" and open_tools:
            found.append(
                f"agent {agent_id} is of high risk and may not start: "
                f"no approval rule on {', '.join(open_tools)}"
            )
        found.extend(_unreviewed(registry, agent_id, agent))
        if not wallets & {f"team:{agent.team}", f"agent:{agent_id}"}:
            found.append(f"agent {agent_id} may not start: neither it nor team {agent.team} has a wallet")
    return found


def _unreviewed(registry: Registry, agent_id: str, agent: Agent) -> Iterator[str]:
    """One line per tool of a server that a high-risk agent may not use, because nobody reviewed it."""
    for use in agent.tools:
        tool = registry.tools[use.tool]
        if agent.risk.risk_class == "high" and tool.mcp is not None and tool.schema_sha256 is None:
            yield (
                f"agent {agent_id} is of high risk and may not use {use.tool} of a server before it is "
                f"reviewed: `fleetbook mcp pin {use.tool} --as <person>`"
            )


def _problems(registry: Registry) -> Iterator[tuple[Place, str]]:
    bindings: dict[str, Binding] = {}
    for name, tool in registry.tools.items():
        if tool.function is None:
            if tool.target.endswith("/*"):
                yield ("tools", name, "mcp"), "name one tool; effect and approval are each tool's own"
            continue
        try:
            bindings[name] = bind(name, tool.function)
        except ToolUnusable as error:
            yield ("tools", name, "function"), str(error)
    for agent_id, agent in registry.agents.items():
        yield from _model_problems(agent_id, agent)
        yield from _name_problems(agent_id, agent)
        for index, use in enumerate(agent.tools):
            if use.tool in bindings:
                yield from _rule_problems(("agents", agent_id, "tools", index), use, bindings[use.tool])


def _name_problems(agent_id: str, agent: Agent) -> Iterator[tuple[Place, str]]:
    """Names of the tools that delegates and knowledge bring must be free, and short enough for a model."""
    here: Place = ("agents", agent_id)
    taken = {use.tool for use in agent.tools}
    for index, delegate in enumerate(agent.delegates):
        name = f"{ASK_PREFIX}{delegate}"
        if len(name) > _LONGEST_NAME:
            longest = _LONGEST_NAME - len(ASK_PREFIX)
            yield (*here, "delegates", index), f"a delegate's id has at most {longest} characters"
        if name in taken:
            yield (*here, "delegates", index), f"its tool would be called {name}, and so is one of the tools"
    if agent.knowledge and SEARCH in taken:
        yield (*here, "knowledge"), f"its search is called {SEARCH}, and so is one of the tools"


def _unusable(agent_id: str, agent: Agent) -> Iterator[str]:
    """Nothing, or one line for an agent of which no model can be called from here."""
    if agent.provider in ELSEWHERE and not agent.fallback_models:
        yield f"agent {agent_id} runs elsewhere: {agent.model} is not called by this release"
        return
    try:
        usable((agent.model, *agent.fallback_models))
    except ModelUnusable as error:
        yield f"agent {agent_id} does not run from here: {error}"


def _model_problems(agent_id: str, agent: Agent) -> Iterator[tuple[Place, str]]:
    places: list[tuple[Place, str]] = [(("agents", agent_id, "model"), agent.model)]
    for index, model in enumerate(agent.fallback_models):
        places.append((("agents", agent_id, "fallback_models", index), model))
    for place, model in places:
        try:
            check_name(model)
        except ModelUnusable as error:
            yield place, str(error)


def _rule_problems(here: Place, use: ToolUse, binding: Binding) -> Iterator[tuple[Place, str]]:
    rule = use.approval
    if rule is None:
        return
    named = {"when": rule.when.argument if rule.when else None, "money_argument": rule.money_argument}
    for key, argument in named.items():
        if argument is not None and argument not in binding.argument_names:
            close = nearest(argument, list(binding.argument_names))
            hint = f"; nearest: {close!r}" if close else f"; it has: {', '.join(binding.argument_names)}"
            yield (*here, "approval", key), f"tool {use.tool} has no argument {argument!r}{hint}"
