"""The models of one agent version in the order in which they are tried: clients, prices, and who is next."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic_ai.models import Model

from runner.agent.models import Endpoint, build_model
from runner.agent.streaming import Told
from runner.control.prices import ModelPrice
from runner.control.providers import provider_name, requested_name, usable
from runner.errors import ModelUnusable, PriceUnknown

if TYPE_CHECKING:
    from runner.control.core import Core
    from runner.control.registry import Registry


@dataclass(frozen=True, kw_only=True)
class Link:
    """One model of a chain as this process has it; one without ``endpoint`` ``lacks`` what it says."""

    requested_model: str
    provider_name: str
    price: ModelPrice | None
    endpoint: Endpoint | None
    lacks: ModelUnusable | None = None

    def told(self, tell: Callable[[str], None] | None) -> Model:
        """The model; where ``tell`` is given and the endpoint can, its text is told while it arrives."""
        assert self.endpoint is not None  # only links that can be called are asked for their model
        if tell is None or not self.endpoint.is_streaming:
            return self.endpoint.model
        return Told(self.endpoint.model, tell)


class Endpoints:
    """The model clients of one event loop, each built once. Close them on the same loop."""

    def __init__(self) -> None:
        self._built: dict[str, Endpoint | ModelUnusable] = {}

    async def close(self) -> None:
        """Close the connections of every client."""
        async with AsyncExitStack() as stack:
            for endpoint in self._built.values():
                if isinstance(endpoint, Endpoint):
                    stack.push_async_callback(endpoint.close)
        self._built.clear()

    def open(self, models: Sequence[str]) -> None:
        """Build the clients of ``models``. Raises ModelUnusable when none of them can be called from here."""
        usable(models)
        for model in models:
            self._endpoint(model)

    def chain(self, core: Core, registry: Registry, models: Sequence[str]) -> tuple[Link, ...]:
        """``models`` with their clients and their prices by ``registry``."""
        return tuple(self._link(core, registry, model) for model in models)

    def _link(self, core: Core, registry: Registry, model: str) -> Link:
        endpoint = self._endpoint(model)
        if isinstance(endpoint, ModelUnusable):
            provider = model.partition(":")[0]
            return Link(
                requested_model=requested_name(model),
                provider_name=provider,
                price=None,
                endpoint=None,
                lacks=endpoint,
            )
        return Link(
            requested_model=requested_name(model),
            provider_name=provider_name(model),
            price=core.list_price(registry, model),
            endpoint=endpoint,
        )

    def _endpoint(self, model: str) -> Endpoint | ModelUnusable:
        if model not in self._built:
            try:
                self._built[model] = build_model(model)
            except ModelUnusable as error:
                self._built[model] = error
        return self._built[model]


class Chain:
    """Where a run stands in its chain: :attr:`link` is tried now, and stays until it fails for good."""

    def __init__(self, links: Sequence[Link]) -> None:
        self._links = tuple(links)
        self._place = 0
        self.tries = 0

    @property
    def link(self) -> Link:
        """The model in hand."""
        return self._links[self._place]

    @property
    def has_next(self) -> bool:
        """True when a model is left after the one in hand."""
        return self._place + 1 < len(self._links)

    def go_on(self) -> None:
        """Take the next model; its tries count from zero."""
        self._place += 1
        self.tries = 0

    def passed_over(self, capped_wallet: str | None) -> Iterator[tuple[Link, ModelUnusable | PriceUnknown]]:
        """Go on to the first model, from the one in hand, that can be called and priced under a cap.

        Yields each model that is passed over and why. Raises that reason when no model is left after it.
        """
        while (why := _refusal(self.link, capped_wallet)) is not None:
            if len(self._links) > 1:
                yield self.link, why
            if not self.has_next:
                raise why
            self.go_on()


def _refusal(link: Link, capped_wallet: str | None) -> ModelUnusable | PriceUnknown | None:
    if link.lacks is not None:
        return link.lacks
    if link.price is None and capped_wallet is not None:
        return PriceUnknown(link.requested_model, capped_wallet)
    return None
