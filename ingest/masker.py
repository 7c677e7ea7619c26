"""The secrets masker: API keys, tokens and passwords leave a text before anything is hashed or stored.

What is hashed cannot be corrected later, so this runs first: on payload texts in ``make_payload``, on words
of people in ``LogWriter.append``, on spans in the receiver. The patterns are RE2's (no backtracking: time is
linear in the text, whoever wrote it) and keep JSON valid: none matches a quote or half an escape.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ingest.contract import Value

# Columns with words that people or configurations write; every other text column is an id or a closed set.
FREE_TEXT = frozenset({"reason", "purpose", "expected_use", "filter_text", "process_name"})
_MARK = "[masked:"


@dataclass(frozen=True, slots=True)
class Rule:
    """One kind of secret: name, pattern, its source, and what stays ``before`` and ``after`` the mask."""

    name: str
    pattern: str
    source: str
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
        "RFC 7468, textual encodings of keys",
    ),
    Rule(
        "model-api-key",
        r"\bsk-[A-Za-z0-9_-]{16,}",
        "OpenAI (sk-, sk-proj-) and Anthropic (sk-ant-) API keys, as their consoles issue them",
    ),
    Rule(
        "model-api-key",
        r"\b(?:gsk_|xai-|pplx-)[A-Za-z0-9]{20,}",
        "Groq, xAI and Perplexity API keys, as their consoles issue them",
    ),
    Rule(
        "mail-api-key",
        r"\bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}",
        'Twilio SendGrid documentation, "API keys"',
    ),
    Rule(
        "cloud-token", r"\bdo[opr]_v1_[a-f0-9]{32,}", 'DigitalOcean documentation, "Personal access tokens"'
    ),
    Rule("stripe-key", r"\b[sr]k_(?:live|test)_[A-Za-z0-9]{10,}", 'Stripe documentation, "API keys"'),
    Rule(
        "github-token",
        r"\b(?:gh[opsru]_[A-Za-z0-9]{20,}|github_pat_\w{20,})",
        'GitHub documentation, "GitHub\'s token formats"',
    ),
    Rule(
        "gitlab-token",
        r"\bglpat-[A-Za-z0-9_-]{16,}",
        'GitLab documentation, "Token overview: token prefixes"',
    ),
    Rule("slack-token", r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}", 'Slack documentation, "Tokens"'),
    Rule(
        "aws-key-id", r"\bA[KS]IA[A-Z0-9]{16}\b", 'AWS IAM documentation, "Understanding unique ID prefixes"'
    ),
    Rule(
        "google-key",
        r"\b(?:AIza[A-Za-z0-9_-]{30,}|ya29\.[A-Za-z0-9_-]{20,})",
        'Google Cloud documentation, "API keys"; OAuth access tokens as issued',
    ),
    Rule("hugging-face-token", r"\bhf_[A-Za-z0-9]{20,}", 'Hugging Face documentation, "User access tokens"'),
    Rule("fleetbook-token", r"\bfbt_[A-Za-z0-9_-]{20,}", "ingest/receivers/tokens.py"),
    Rule("json-web-token", r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?", "RFC 7519"),
    Rule(
        "url-password",
        r"(://[^/\s:@\"\\]{0,64}:)[^/\s@\"\\]+(@)",
        "RFC 3986, section 3.2.1",
        before=r"\1",
        after=r"\2",
    ),
    # A JSON member, at any depth of JSON inside JSON; also a list of one text, as spans hold HTTP headers.
    Rule(
        "named-value",
        rf"(?i)((?:{_NAMES})\\*\"\s*:\s*\[?\s*\\*\"{_SCHEME})[^\"\\\[]+",
        "names as in OpenTelemetry HTTP headers and common configuration files",
        before=r"\1",
    ),
    Rule(
        "named-value",
        rf"(?i)(\b(?:\w*_)?(?:{_NAMES})\s*[:=]\s*{_SCHEME})[^\s\"'\\,;&{{}}\[\]]{{6,}}",
        "names as in OpenTelemetry HTTP headers and common configuration files",
        before=r"\1",
    ),
    Rule("bearer-token", r"(?i)\b(bearer\s+)[A-Za-z0-9._~+/-]{16,}=*", "RFC 6750, section 2.1", before=r"\1"),
)
# Finds at least what the rules find, and is small: each call compiles it again (60 µs; the rules: 850 µs).
_HINTS = "|".join(
    (
        r"\bgsk_|\bxai-|\bpplx-|\bSG\.|\bdo[opr]_v1_",
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
    # Imported here: a process whose texts hold nothing like a secret does not pay for Arrow.
    import pyarrow as pa
    import pyarrow.compute as pc

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


def masked_in(before: str, after: str) -> int:
    """How many secrets :func:`mask` took out of ``before`` when it made ``after``."""
    return 0 if before is after else after.count(_MARK) - before.count(_MARK)


_ASSIGNED = r's?\\*"?\s*[:=]'
# The same hints for one text, in lower case: a word, and what must stand around it. Finding a word takes
# a fraction of a microsecond; RE2 would compile its pattern anew for each text.
_WORDS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (word, re.compile(pattern))
    for word, pattern in (
        ("private key-", ""),
        ("sk-", r"(?<![a-z0-9_])sk-\w"),
        ("gsk_", ""),
        ("xai-", r"(?<![a-z0-9_])xai-"),
        ("pplx-", ""),
        ("sg.", r"(?<![a-z0-9_])sg\.[a-z0-9_-]{16}"),
        ("_v1_", r"(?<=do[opr])_v1_"),
        ("k_live_", ""),
        ("k_test_", ""),
        ("gh", r"gh[opsru]_"),
        ("github_pat_", ""),
        ("glpat-", ""),
        ("xox", r"xox[abeoprs]-"),
        ("akia", r"(?<![a-z0-9_])akia[a-z0-9]{16}"),
        ("asia", r"(?<![a-z0-9_])asia[a-z0-9]{16}"),
        ("aiza", ""),
        ("ya29.", ""),
        ("hf_", r"(?<![a-z0-9_])hf_"),
        ("fbt_", ""),
        ("eyj", r"(?<![a-z0-9_])eyj"),
        ("://", r'://[^/\s:@"\\]{0,64}:'),
        ("bearer", r"bearer\s"),
        *(
            (word, word + _ASSIGNED)
            for word in (
                "key",
                "token",
                "secret",
                "passwd",
                "password",
                "passphrase",
                "authorization",
                "credential",
            )
        ),
    )
)


def _may_hold_secret(text: str) -> bool:
    lowered = text.lower()
    for word, around in _WORDS:
        place = lowered.find(word)
        while place >= 0:
            if around.match(lowered, place):
                return True
            place = lowered.find(word, place + 1)
    return False


class Masked(NamedTuple):
    """A text without secrets, and how many were masked."""

    text: str
    secret_count: int


def mask_text(text: str) -> Masked:
    """One ``text``, masked; text that is no UTF-8 comes back as it is, for the contract to refuse."""
    if not _may_hold_secret(text):
        return Masked(text, 0)
    try:
        (cleaned,) = mask([text])
    except UnicodeEncodeError:
        return Masked(text, 0)
    return Masked(cleaned, masked_in(text, cleaned))


def mask_event(event: Mapping[str, Value]) -> Mapping[str, Value]:
    """``event`` with its FREE_TEXT columns masked and ``masked_count`` raised by what was found there."""
    changed: dict[str, Value] = {}
    count = 0
    for name in FREE_TEXT & event.keys():
        text = event[name]
        if isinstance(text, str):
            masked = mask_text(text)
            if masked.secret_count:
                changed[name] = masked.text
                count += masked.secret_count
    if not changed:
        return event
    before = event.get("masked_count")
    return {**event, **changed, "masked_count": count + (before if isinstance(before, int) else 0)}
