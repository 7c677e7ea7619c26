"""Every named question of the warehouse."""

from __future__ import annotations

from collections.abc import Mapping

from app.questions import (
    agents,
    assurance,
    fleet,
    history,
    house,
    latency,
    money,
    outside,
    oversight,
    providers,
    risk,
    runs,
)
from app.questions.asking import Question

QUESTIONS: Mapping[str, Question] = {
    question.name: question
    for module in (
        fleet,
        latency,
        agents,
        history,
        runs,
        money,
        providers,
        oversight,
        outside,
        house,
        assurance,
        risk,
    )
    for question in module.QUESTIONS
}
"""Every named question; what it takes is in :attr:`Question.takes`, beside period, team and agent."""
