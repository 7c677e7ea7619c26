"""Providers of models, as one table: how a registered model is called, what it needs, who answers for it.

Nothing here imports a model SDK: the control plane asks names and settings, :mod:`runner.agent.models` calls.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from types import MappingProxyType
from urllib.parse import urlsplit

from runner.control.declared import nearest
from runner.errors import ModelUnusable


@dataclass(frozen=True, kw_only=True)
class Provider:
    """One way to reach models: ``name`` is its name in events, ``price_list`` the one in price tables.

    ``extra`` is the optional dependency that brings ``sdk``; of each group in ``variables`` one must be set.
    An endpoint named by ``url_variable`` at another host than ``host`` may serve anything under any name: it
    is called ``<name>-compatible`` and has own prices or none.
    """

    name: str
    sdk: str | None = None
    extra: str | None = None
    variables: tuple[tuple[str, ...], ...] = ()
    url_variable: str | None = None
    host: str | None = None
    price_list: str | None = None
    hint: str = ""


_OPENAI = Provider(
    name="openai",
    variables=(("OPENAI_API_KEY",),),
    url_variable="OPENAI_BASE_URL",
    host="api.openai.com",
    price_list="openai",
    hint="A local server takes any word as key; OPENAI_BASE_URL names another endpoint than OpenAI's.",
)

# By the prefix of a registered model. openai: is OpenAI's Responses API, openai-chat: the chat API that
# compatible servers (vLLM, Ollama, gateways) speak.
PROVIDERS: Mapping[str, Provider] = MappingProxyType(
    {
        "sim": Provider(name="sim"),
        "openai-chat": _OPENAI,
        "openai": _OPENAI,
        "anthropic": Provider(
            name="anthropic",
            sdk="anthropic",
            extra="anthropic",
            variables=(("ANTHROPIC_API_KEY",),),
            url_variable="ANTHROPIC_BASE_URL",
            host="api.anthropic.com",
            price_list="anthropic",
        ),
        "google": Provider(
            name="google",
            sdk="google.genai",
            extra="google",
            variables=(("GOOGLE_API_KEY", "GEMINI_API_KEY"),),
            url_variable="GOOGLE_GEMINI_BASE_URL",
            host="generativelanguage.googleapis.com",
            price_list="google",
        ),
        "bedrock": Provider(
            name="bedrock",
            sdk="boto3",
            extra="bedrock",
            # Credentials come from the AWS chain (variables, profile, role of the machine).
            variables=(("AWS_DEFAULT_REGION", "AWS_REGION"),),
            price_list="aws",
        ),
    }
)
# Agents on these may be declared, so that the inventory is whole, though they run elsewhere.
ELSEWHERE = ("azure", "ollama", "mistral", "groq")


def provider_of(model: str) -> Provider:
    """The row of a registered model. Raises ModelUnusable when this release does not call its provider."""
    prefix = model.partition(":")[0]
    if prefix in PROVIDERS:
        return PROVIDERS[prefix]
    if prefix in ELSEWHERE:
        raise ModelUnusable(
            model,
            f"this release does not call provider {prefix!r} itself",
            "Declare it as openai-chat:<model> with an OpenAI-compatible endpoint, or as sim:<scenario>.",
        )
    close = nearest(prefix, [*PROVIDERS, *ELSEWHERE])
    hint = f"The nearest one is {close!r}." if close else f"There are: {', '.join(PROVIDERS)}."
    raise ModelUnusable(model, f"provider {prefix!r} is not known", hint)


def provider_name(model: str) -> str:
    """Who answers for ``model``: the provider's name, ``<name>-compatible`` for an endpoint elsewhere.

    Raises ModelUnusable for a provider that this release does not call.
    """
    provider = provider_of(model)
    return provider.name if _is_at_home(provider) else f"{provider.name}-compatible"


def requested_name(model: str) -> str:
    """The model as it is asked for; a simulated one keeps its prefix, lest it be taken for real."""
    prefix, _, name = model.partition(":")
    return model if prefix == "sim" else name


def check_name(model: str) -> None:
    """Raise ModelUnusable for a name that may not be declared: an unknown provider or scenario."""
    if model.partition(":")[0] not in ELSEWHERE and provider_of(model).name == "sim":
        _check_scenario(model)


def check_model(model: str) -> None:
    """Raise ModelUnusable when ``model`` cannot be called from here: no such scenario, no SDK, or no key."""
    provider = provider_of(model)
    if provider.sdk is not None and not _is_installed(provider.sdk):
        raise ModelUnusable(
            model,
            f"provider {provider.name!r} needs the extra {provider.extra!r}, which is not installed",
            f'Install it with `pip install "fleetbook[{provider.extra}]"`, and set {_needs(provider)}.',
        )
    if _missing(provider):
        advice = f"It needs {_needs(provider)}. {provider.hint}".strip()
        raise ModelUnusable(model, f"{_missing(provider)} is not set", advice)
    if provider.name == "sim":
        _check_scenario(model)


def usable(models: Sequence[str]) -> list[str]:
    """Those of ``models`` that can be called from here, in their order.

    Raises ModelUnusable, with what the first of them lacks, when it is none of them.
    """
    found, lacks = [], []
    for model in models:
        try:
            check_model(model)
        except ModelUnusable as error:
            lacks.append(error)
        else:
            found.append(model)
    if not found:
        raise lacks[0]
    return found


def _check_scenario(model: str) -> None:
    # Plain data about the simulated model; neither the loop nor an SDK comes with it.
    from runner.agent.scenarios import SCENARIOS

    name = model.partition(":")[2]
    if name not in SCENARIOS:
        close = nearest(name, list(SCENARIOS))
        hint = f"the nearest one is {close!r}" if close else f"there are: {', '.join(sorted(SCENARIOS))}"
        problem = f"the simulated model has no scenario {name!r}; {hint}"
        raise ModelUnusable(model, problem, "Correct the model of the agent in registry.yaml.")


def _is_at_home(provider: Provider) -> bool:
    url = os.environ.get(provider.url_variable) if provider.url_variable else None
    return not url or urlsplit(url).hostname == provider.host


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # the package around it is missing
        return False


def _missing(provider: Provider) -> str:
    """The first group of variables of which none is set, as words; empty when all are there."""
    for group in provider.variables:
        if not any(os.environ.get(name) for name in group):
            return " or ".join(group)
    return ""


def _needs(provider: Provider) -> str:
    return ", and ".join(" or ".join(group) for group in provider.variables)
