"""Checks of a registry that need its tool functions and models: loadable, typed, and rules that fit them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from runner.agent.models import DECLARABLE_PROVIDERS, provider_name
from runner.agent.scenarios import SCENARIOS
from runner.agent.tools import Binding, bind
from runner.control.declared import nearest
from runner.control.references import Path as Place
from runner.control.registry import Agent, Registry, ToolUse
from runner.control.registry_file import line_of
from runner.control.versions import freeze, ungated_tools
from runner.errors import ModelUnusable, Problem, RegistryInvalid, ToolUnusable


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
    found = []
    wallets = {budget.wallet for budget in registry.budgets}
    for agent_id, agent in registry.agents.items():
        if agent.provider in DECLARABLE_PROVIDERS:
            found.append(f"agent {agent_id} runs elsewhere: {agent.model} is not called by this release")
        open_tools = ungated_tools(freeze(registry, agent))
        if agent.risk.risk_class == "high" and open_tools:
            found.append(
                f"agent {agent_id} is of high risk and may not start: "
                f"no approval rule on {', '.join(open_tools)}"
            )
        if not wallets & {f"team:{agent.team}", f"agent:{agent_id}"}:
            found.append(f"agent {agent_id} may not start: neither it nor team {agent.team} has a wallet")
    return found


def _problems(registry: Registry) -> Iterator[tuple[Place, str]]:
    bindings: dict[str, Binding] = {}
    for name, tool in registry.tools.items():
        try:
            bindings[name] = bind(name, tool.function)
        except ToolUnusable as error:
            yield ("tools", name, "function"), str(error)
    for agent_id, agent in registry.agents.items():
        yield from _model_problems(agent_id, agent)
        for index, use in enumerate(agent.tools):
            if use.tool in bindings:
                yield from _rule_problems(("agents", agent_id, "tools", index), use, bindings[use.tool])


def _model_problems(agent_id: str, agent: Agent) -> Iterator[tuple[Place, str]]:
    here: Place = ("agents", agent_id, "model")
    if agent.provider in DECLARABLE_PROVIDERS:
        return
    try:
        provider = provider_name(agent.model)
    except ModelUnusable as error:
        yield here, str(error)
        return
    scenario = agent.model.partition(":")[2]
    if provider == "sim" and scenario not in SCENARIOS:
        close = nearest(scenario, list(SCENARIOS))
        hint = f"the nearest one is {close!r}" if close else f"there are: {', '.join(sorted(SCENARIOS))}"
        yield here, f"the simulated model has no scenario {scenario!r}; {hint}"


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
