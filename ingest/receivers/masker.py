"""The secrets masker: API keys, tokens and passwords leave a text before anything is hashed or stored.

What is hashed cannot be corrected later, so this runs first. The patterns are RE2's (no backtracking: time is
linear in the text, whoever wrote it) and keep JSON valid: none matches a quote or half an escape.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc


@dataclass(frozen=True, slots=True)
class Rule:
    """One kind of secret: name, pattern, and which of its groups stay ``before`` and ``after`` the mask."""

    name: str
    pattern: str
    before: str = ""
    after: str = ""

    @property
    def replacement(self) -> str:
        """What stands in a text where the secret was."""
        return f"{self.before}[masked:{self.name}]{self.after}"


_NAMES = (
    r"(?:api|access|secret|private|auth|signing|encryption)[_-]?key|apikey|(?:client[_-]?)?secret|passw(?:or)?d"
    r"|passphrase|(?:access|refresh|auth|session|id|api|bearer)[_-]?token|authorization|credentials?"
)
_SCHEME = r"(?:(?:bearer|basic)\s+)?"
_PEM_NAME = r"(?:[A-Z0-9]+ )*PRIVATE KEY"
_PEM_LINES = r"(?:[A-Za-z0-9+/=\s]|\\+[rn])*"

# Named values come before bare bearer tokens: "Authorization: Bearer …" is one secret, not two.
RULES: tuple[Rule, ...] = (
    Rule(
        "private-key",
        rf"-----BEGIN {_PEM_NAME}-----{_PEM_LINES}(?:-----END {_PEM_NAME}-----)?",
    ),
    Rule("model-api-key", r"\bsk-[A-Za-z0-9_-]{16,}"),
    Rule("stripe-key", r"\b[sr]k_(?:live|test)_[A-Za-z0-9]{10,}"),
    Rule("github-token", r"\b(?:gh[opsru]_[A-Za-z0-9]{20,}|github_pat_\w{20,})"),
    Rule("gitlab-token", r"\bglpat-[A-Za-z0-9_-]{16,}"),
    Rule("slack-token", r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}"),
    Rule("aws-key-id", r"\bA[KS]IA[A-Z0-9]{16}\b"),
    Rule("google-key", r"\b(?:AIza[A-Za-z0-9_-]{30,}|ya29\.[A-Za-z0-9_-]{20,})"),
    Rule("hugging-face-token", r"\bhf_[A-Za-z0-9]{20,}"),
    Rule("fleetbook-token", r"\bfbt_[A-Za-z0-9_-]{20,}"),
    Rule("json-web-token", r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?"),
    Rule("url-password", r"(://[^/\s:@\"\\]{0,64}:)[^/\s@\"\\]+(@)", before=r"\1", after=r"\2"),
    # A JSON member, at any depth of JSON inside JSON; also a list of one text, as spans hold HTTP headers.
    Rule(
        "named-value",
        rf"(?i)((?:{_NAMES})\\*\"\s*:\s*\[?\s*\\*\"{_SCHEME})[^\"\\\[]+",
        before=r"\1",
    ),
    Rule(
        "named-value",
        rf"(?i)(\b(?:\w*_)?(?:{_NAMES})\s*[:=]\s*{_SCHEME})[^\s\"'\\,;&{{}}\[\]]{{6,}}",
        before=r"\1",
    ),
    Rule("bearer-token", r"(?i)\b(bearer\s+)[A-Za-z0-9._~+/-]{16,}=*", before=r"\1"),
)
# Finds at least what the rules find, and is small: each call compiles it again (60 µs; the rules: 850 µs).
_HINTS = "|".join(
    (
        r"PRIVATE KEY-|\bsk-\w|\b[sr]k_[lt]|\bgh[opsru]_|github_pat_|glpat-|\bxox[abeoprs]-|\bA[KS]IA|AIza",
        r"ya29\.|\bhf_|\bfbt_|\beyJ|://[^/\s:@\"\\]*:|[Bb][Ee][Aa][Rr][Ee][Rr]\s",
        r"(?:[Kk][Ee][Yy]|[Tt][Oo][Kk][Ee][Nn]|[Ss][Ee][Cc][Rr][Ee][Tt]|[Ww](?:[Oo][Rr])?[Dd]|[Rr][Aa][Ss][Ee]"
        r"|[Tt][Ii][Oo][Nn]|[Tt][Ii][Aa][Ll][Ss]?)\\*\"?\s*[:=]",
    )
)


def mask(texts: Sequence[str]) -> list[str]:
    """``texts`` with every secret replaced by ``[masked:<kind>]``; a text without one comes back as it is."""
    if not texts:
        return []
    column = pa.array(texts, pa.large_string())
    places = pc.indices_nonzero(pc.match_substring_regex(column, _HINTS)).to_pylist()
    result = list(texts)
    if places:
        cleaned = column.take(pa.array(places))
        for rule in RULES:
            cleaned = pc.replace_substring_regex(cleaned, rule.pattern, rule.replacement)
        for place, text in zip(places, cleaned.to_pylist(), strict=True):
            result[place] = text
    return result
