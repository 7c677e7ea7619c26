"""Errors of the runner, as one tree.

RunnerError                 could not be done (exit code 2)
├── RegistryInvalid         registry.yaml is missing, no YAML, or breaks the schema or a reference
├── RegistryNotApplied      nothing was applied yet, so nobody and nothing is known
├── NotFound                a run, agent, person, approval or wallet of that name does not exist
├── AlreadyDeclared         an agent, person or schedule of that name is there already
├── FieldNotSettable        a field of an agent has a command of its own
├── ToolUnusable            a registered tool function cannot be loaded or typed
├── ModelUnusable           a model name cannot be resolved, or its endpoint is not configured
├── KnowledgeUnreadable     the documents of a knowledge source cannot be read
├── StoreError              the control store is of another version
├── RelayError              events could not be brought into the log
├── LeaseLost               another worker took this run over
├── AlertRefused            a raised alert cannot be acknowledged (exit code 1)
├── AssuranceRefused        a waiver, a case or a signature cannot be made like this (exit code 1)
└── Refusal                 a rule said no (exit code 1)
    ├── RunRefused          a run may not start
    ├── BudgetRefused       no wallet has room for the next model call
    ├── PriceUnknown        a model without a price meets a wallet with a cap
    ├── RaiseRefused        a cap cannot be raised like this, or not by this person
    ├── BatchRefused        requests that cannot be decided in one go
    ├── DecisionRefused     a person may not decide, or there is nothing left to decide
    └── AccessRefused       a person may not do the action

Every message has three parts: what happened · with which values · what to do now.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


class RunnerError(Exception):
    """Base of every error the runner raises on purpose; ``exit_code`` is the command's exit code."""

    exit_code: int = 2


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One thing wrong in registry.yaml: 1-based ``line`` (0 = none), dotted ``path``, ``text``."""

    line: int
    path: str
    text: str


class RegistryInvalid(RunnerError):
    """registry.yaml is missing, no YAML, or breaks the schema or a reference; ``problems`` lists each one."""

    exit_code = 1

    def __init__(self, file: Path, problems: tuple[Problem, ...]):
        self.file = file
        self.problems = problems
        lines = [f"{file}:{p.line}: {p.path + ': ' if p.path else ''}{p.text}" for p in problems]
        noun = "problem" if len(problems) == 1 else "problems"
        super().__init__(
            f"Registry not valid: {len(problems)} {noun} in {file.name}. "
            "Correct the lines below and run `fleetbook registry check`.\n" + "\n".join(lines)
        )


class RegistryDrifted(RunnerError):
    """registry.yaml holds changes that are not applied, so it cannot be changed by command."""

    def __init__(self, file: Path, change_count: int):
        super().__init__(
            f"Nothing changed: {file} holds {change_count} changes that are not applied yet. "
            "See them with `fleetbook registry plan`, apply or undo them, and try again."
        )


class RegistryNotApplied(RunnerError):
    """Nothing was applied yet, so nobody and nothing is known."""

    def __init__(self, workspace: Path):
        super().__init__(
            f"No registry applied: the control store of {workspace} knows no people and no agents. "
            "Run `fleetbook registry apply`."
        )


class NotFound(RunnerError):
    """A run, agent, person, approval or wallet of that name does not exist: ``kind`` and ``name``."""

    def __init__(self, kind: str, name: str, nearest: str | None, advice: str):
        self.kind = kind
        self.name = name
        hint = f" The nearest one is {nearest!r}." if nearest else ""
        super().__init__(f"Not found: there is no {kind} {name!r}.{hint} {advice}")


class AlreadyDeclared(RunnerError):
    """Something of that name is declared, so it cannot be added."""

    def __init__(self, kind: str, name: str, advice: str):
        super().__init__(f"Not added: {kind} {name!r} is declared already. {advice}")


class FieldNotSettable(RunnerError):
    """A field that is changed by a command of its own."""

    def __init__(self, field: str, how: str):
        super().__init__(f"Nothing changed: {field!r} is not set as a field of registry.yaml: {how}.")


class TemplateUnusable(RunnerError):
    """A template cannot become the agent that was asked for."""

    def __init__(self, template_id: str, problem: str, advice: str):
        super().__init__(f"Template {template_id} not used: {problem}. {advice}")


class ToolUnusable(RunnerError):
    """A registered tool function cannot be loaded or typed."""

    def __init__(self, tool: str, function: str, problem: str, advice: str | None = None):
        self.tool = tool
        names = "it names a Python function as module:function"
        advice = advice or f"Correct tools.{tool}.function in registry.yaml; {names}."
        super().__init__(f"Tool not usable: {tool} = {function!r}: {problem}. {advice}")


class ModelUnusable(RunnerError):
    """A model name cannot be resolved, or its endpoint is not configured."""

    def __init__(self, model: str, problem: str, advice: str):
        self.model = model
        self.problem = problem
        super().__init__(f"Model not usable: {model!r}: {problem}. {advice}")


class KnowledgeUnreadable(RunnerError):
    """The documents of a knowledge source, or their index, cannot be read."""

    def __init__(self, place: Path, problem: str):
        self.place = place
        super().__init__(
            f"Knowledge not readable: {place}: {problem}. "
            "Correct the folder of the source in registry.yaml, or run `fleetbook knowledge index` again."
        )


class StoreError(RunnerError):
    """The control store is of another version."""


class RelayError(RunnerError):
    """Events could not be brought into the log; nothing that depends on them was done."""


class LeaseLost(RunnerError):
    """Another worker took this run over; nothing more was written by this one."""

    def __init__(self, run_id: str):
        self.run_id = run_id
        super().__init__(
            f"Run given up: the lease of run {run_id} was taken over by another worker. "
            f"Nothing is to be done; `fleetbook runs` shows it."
        )


class Refusal(RunnerError):
    """A rule said no; ``rule`` is its id."""

    exit_code = 1

    def __init__(self, rule: str, message: str):
        self.rule = rule
        super().__init__(message)


class RunRefused(Refusal):
    """A run may not start; ``run_id`` names the request in the log, ``reason`` is the rule's sentence."""

    def __init__(self, run_id: str, rule: str, reason: str, advice: str):
        self.run_id = run_id
        self.reason = reason
        self.advice = advice
        super().__init__(rule, f"Run refused: {reason} (rule {rule}). {advice}")


class BudgetRefused(Refusal):
    """No wallet has room for the next model call; ``wallet_id`` is the one that is short."""

    def __init__(self, wallet_id: str, rule: str, message: str):
        self.wallet_id = wallet_id
        super().__init__(rule, message)


class PriceUnknown(Refusal):
    """A model without a price meets a wallet with a cap."""

    def __init__(self, model: str, wallet_id: str):
        self.model = model
        self.wallet_id = wallet_id
        super().__init__(
            "unpriced-model",
            f"Model refused: {model!r} has no price and wallet {wallet_id} has a cap: no worst case. "
            f"Add a line for {model!r} under prices in registry.yaml and run `fleetbook registry apply`.",
        )


class RaiseRefused(Refusal):
    """A cap cannot be raised like this, or not by this person; ``wallet_id`` is the wallet."""

    def __init__(self, wallet_id: str, rule: str, reason: str, advice: str):
        self.wallet_id = wallet_id
        super().__init__(rule, f"Raise of wallet {wallet_id} refused: {reason} (rule {rule}). {advice}")


class DecisionRefused(Refusal):
    """A person may not decide, or there is nothing left to decide."""

    def __init__(self, approval_id: str, rule: str, reason: str, advice: str):
        self.approval_id = approval_id
        self.reason = reason
        super().__init__(rule, f"Decision refused: {reason} (rule {rule}, approval {approval_id}). {advice}")


class BatchRefused(Refusal):
    """Requests that cannot be decided in one go."""

    def __init__(self, reason: str):
        super().__init__(
            "not-a-batch",
            f"Nothing decided: {reason}. Decide requests for one tool together, or each by itself.",
        )


class AccessRefused(Refusal):
    """A person may not do the action."""

    def __init__(self, rule: str, reason: str, advice: str):
        self.reason = reason
        super().__init__(rule, f"Access refused: {reason} (rule {rule}). {advice}")


class MoveRefused(RunnerError):
    """An agent's status cannot be changed in this way."""

    exit_code = 1

    def __init__(self, agent_id: str, status: str, wanted: str, allowed: tuple[str, ...]):
        if allowed:
            advice = f"From {status} it can become {', '.join(allowed)}."
        else:
            advice = f"`fleetbook review revive {agent_id}` brings it back, suspended."
        super().__init__(
            f"Status not changed: agent {agent_id} is {status} and cannot become {wanted}. {advice}"
        )


class ReviewRefused(RunnerError):
    """A decision of a review cannot be made as it is wanted."""

    exit_code = 1

    def __init__(self, agent_id: str, problem: str, advice: str):
        super().__init__(f"Not decided for agent {agent_id}: {problem}. {advice}")


class AlertRefused(RunnerError):
    """An alert that cannot be acknowledged as it is wanted; ``alert_incident_id`` names it."""

    exit_code = 1

    def __init__(self, alert_incident_id: str, problem: str, advice: str):
        self.alert_incident_id = alert_incident_id
        super().__init__(f"Not acknowledged: {alert_incident_id}: {problem}. {advice}")


class AssuranceRefused(RunnerError):
    """A waiver, a case or a signature that cannot be made as it is wanted; ``about`` names it."""

    exit_code = 1

    def __init__(self, about: str, problem: str, advice: str):
        self.about = about
        super().__init__(f"Nothing recorded for {about}: {problem}. {advice}")
