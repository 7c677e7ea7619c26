"""Agents that do the same: like purpose, like instructions, the same tools. Proposed for merging, explained.

Texts are compared as bags of words by the cosine of their TF-IDF vectors (Salton and Buckley, 1988): words
that every agent uses count little. Tools are compared by Jaccard's index. The score is the mean of the parts.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

_WORD = re.compile(r"[^\W\d_]{4,}")
SHOWN_WORDS = 6


@dataclass(frozen=True, kw_only=True)
class Described:
    """What an agent is declared to be."""

    agent_id: str
    agent_name: str
    team_id: str
    purpose: str
    instructions: str
    tools: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class Alike:
    """Two agents, how alike they are (0 to 1) part by part, and the words and tools they share.

    ``tools`` is None where neither has any.
    """

    first: Described
    second: Described
    score: float
    purpose: float
    instructions: float
    tools: float | None
    shared_words: tuple[str, ...]
    shared_tools: tuple[str, ...]

    @property
    def explained(self) -> str:
        """The score and its parts, in words."""
        tools = "no tools" if self.tools is None else f"tools {self.tools:.0%}"
        parts = f"purpose {self.purpose:.0%}, instructions {self.instructions:.0%}, {tools}"
        return f"{self.score:.0%} alike: {parts}"


def alike(agents: Sequence[Described], at_least: float) -> list[Alike]:
    """Pairs whose score is ``at_least``, the most alike first."""
    purposes = _vectors([one.purpose for one in agents])
    instructions = _vectors([one.instructions for one in agents])
    found = []
    for (i, first), (j, second) in combinations(enumerate(agents), 2):
        pair = _pair(first, second, (purposes[i], purposes[j]), (instructions[i], instructions[j]))
        if pair.score >= at_least:
            found.append(pair)
    return sorted(found, key=lambda one: (-one.score, one.first.agent_id, one.second.agent_id))


Vector = Mapping[str, float]


def _pair(
    first: Described, second: Described, purposes: tuple[Vector, Vector], instructions: tuple[Vector, Vector]
) -> Alike:
    tools = first.tools & second.tools
    either = first.tools | second.tools
    parts = [_cosine(*purposes), _cosine(*instructions)]
    jaccard = len(tools) / len(either) if either else None
    known = [*parts, jaccard] if jaccard is not None else parts
    weights = {
        word: purposes[0].get(word, 0) * purposes[1].get(word, 0)
        + instructions[0].get(word, 0) * instructions[1].get(word, 0)
        for word in {*purposes[0], *instructions[0]} & {*purposes[1], *instructions[1]}
    }
    words = sorted(
        (word for word, weight in weights.items() if weight), key=lambda word: (-weights[word], word)
    )
    return Alike(
        first=first,
        second=second,
        score=sum(known) / len(known),
        purpose=parts[0],
        instructions=parts[1],
        tools=jaccard,
        shared_words=tuple(words[:SHOWN_WORDS]),
        shared_tools=tuple(sorted(tools)),
    )


def _vectors(texts: Sequence[str]) -> list[Vector]:
    """Each text's words with their weight, of length 1; an empty text has none."""
    bags = [Counter(_WORD.findall(text.casefold())) for text in texts]
    seen = Counter(word for bag in bags for word in bag)
    made: list[Vector] = []
    for bag in bags:
        weights = {
            word: count * (math.log((1 + len(bags)) / (1 + seen[word])) + 1) for word, count in bag.items()
        }
        length = math.hypot(*weights.values())
        made.append({word: weight / length for word, weight in weights.items()})
    return made


def _cosine(one: Vector, other: Vector) -> float:
    return sum(weight * other[word] for word, weight in one.items() if word in other)
