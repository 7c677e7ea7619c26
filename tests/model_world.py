"""A company whose agent talks to a scripted server; what the log and the wallets say after it."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from ingest.workspace import Workspace
from runner.agent.loop import Outcome
from runner.agent.progress import Progress
from runner.agent.session import Pacing
from runner.control.plane import Control
from runner.control.tables import holds, wallets
from runner.worker import run_until_parked
from tests.openai_stub import Answer, serving
from tests.runner_company import HASTY, company, events

CHAIN = (
    "model: sim:triage",
    "model: openai-chat:tiny\n    fallback_models: [openai-chat:spare]",
)
# 1 and 10 USD per million tokens, the spare one at the double: 1,000 and 10,000 nano-USD a token.
PRICES = (
    "prices:\n",
    "prices:\n"
    "  - {model: tiny, input_usd_per_mtok: 1, output_usd_per_mtok: 10, version: p1}\n"
    "  - {model: spare, input_usd_per_mtok: 2, output_usd_per_mtok: 20, version: p2}\n",
)
SINGLE = ("model: sim:triage", "model: openai-chat:tiny")
SEARCH = ("call_1", "search_tickets", '{"query": "late", "limit": 2}')
# Of an answer with the stub's usage of 100 tokens in and 20 out.
COST = 100 * 1_000 + 20 * 10_000


@pytest.fixture(autouse=True)
def endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "any-word")
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)


class World:
    """A company whose triage agent talks to the stub: asks, and what the log and the wallet say after it."""

    def __init__(self, workspace: Workspace, *changes: tuple[str, str]) -> None:
        self.workspace = workspace
        self.control: Control = company(workspace, *changes)
        self.heard: list[Progress] = []
        self.outcome: Outcome | None = None

    def ask(
        self,
        monkeypatch: pytest.MonkeyPatch,
        *script: Answer,
        pacing: Pacing = HASTY,
        is_streaming: bool = False,
    ) -> list[dict[str, object]]:
        """Play one run against the scripted answers; returns the requests that the server got."""
        with serving(*script) as stub:
            monkeypatch.setenv("OPENAI_BASE_URL", stub.url)
            run_id = self.control.request_run("triage-agent", "What is open?", "jon-vass")
            self.outcome = run_until_parked(
                self.control, run_id, pacing=pacing, watch=self.heard.append, is_streaming=is_streaming
            )
        self.control.close()
        return stub.requests

    @property
    def ended(self) -> Outcome:
        """The outcome of the run, which has ended."""
        assert self.outcome is not None
        return self.outcome

    def finished(self, *columns: str) -> list[tuple[object, ...]]:
        """These columns of every turn_finished."""
        found = events(self.workspace, self.ended.run_id, "turn_finished")
        return [tuple(event.get(column) for column in columns) for event in found]

    def holds_charged(self) -> list[int]:
        """What was held for each attempt."""
        return [int(str(held)) for (held,) in self.finished("hold_nano_usd")]

    def wallet(self) -> tuple[int, int]:
        """Spent and held of the team's wallet; no hold may be left open."""
        with self.control.store.read() as connection:
            assert connection.execute(sa.select(holds)).all() == []
            this = wallets.c.wallet_id == "team:support:month"
            row = connection.execute(sa.select(wallets).where(this)).one()
        return row.spent_nano_usd, row.held_nano_usd


# The chain
