"""The secrets masker: what it takes out, what it leaves, and that JSON stays JSON."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.log.writer import LogWriter
from ingest.masker import RULES, mask, mask_event, mask_text
from ingest.payloads import make_payload
from ingest.reader import payload_texts, run_events
from ingest.workspace import Workspace
from tests.log_events import AT, started

# Each in two pieces, so that no scanner takes this file for a leak.
SECRETS = {
    "model-api-key": "sk-" + "proj-AbCd1234EfGh5678IjKl",
    "mail-api-key": "SG." + "abcdefghijklmnop1234.ABCDEFGHIJKLMNOP-_56",
    "cloud-token": "dop_" + "v1_0123456789abcdef0123456789abcdef",
    "stripe-key": "sk_" + "live_51H8abcdefghijkl",
    "github-token": "ghp_" + "abcdefghijklmnopqrstuvwxyz0123456789",
    "gitlab-token": "glpat-" + "abcdefghij1234567890",
    "slack-token": "xoxb-" + "123456789012-abcdefghijkl",
    "aws-key-id": "AKIA" + "IOSFODNN7EXAMPLE",
    "google-key": "AIza" + "SyA1234567890abcdefghijklmnopqrstuv",
    "hugging-face-token": "hf_" + "abcdefghijklmnopqrstuvwxyz",
    "fleetbook-token": "fbt_" + "ad23af29ad77_bkiPcQcAi6el9rjDX6Xh93hWmrzRNMgJgo",
    "json-web-token": "eyJ" + "hbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc-_d",
    "private-key": "-----BEGIN RSA " + "PRIVATE KEY-----\nMIIEabc+/=\nzz\n-----END RSA PRIVATE KEY-----",
}


@pytest.mark.parametrize("kind", SECRETS)
def test_a_secret_in_a_text_is_replaced_by_its_kind(kind: str) -> None:
    text = f"use {SECRETS[kind]}, please"
    assert mask([text]) == [f"use [masked:{kind}], please"]
    assert mask_text(text) == (f"use [masked:{kind}], please", 1)
    # Also deep in JSON inside JSON, which stays JSON.
    nested = json.dumps({"messages": json.dumps([{"content": text}])})
    (masked,) = mask([nested])
    assert SECRETS[kind][-12:] not in masked
    assert json.loads(json.loads(masked)["messages"])[0]["content"] == f"use [masked:{kind}], please"


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("Authorization: Bearer abc.def.ghi1234567890", "Authorization: Bearer [masked:named-value]"),
        ("sent with bearer abcdefghij1234567890 today", "sent with bearer [masked:bearer-token] today"),
        ('{"api_key":"abc"}', '{"api_key":"[masked:named-value]"}'),
        (
            '{"http.request.header.authorization":["Basic dXNlcjpwYXNz"]}',
            '{"http.request.header.authorization":["Basic [masked:named-value]"]}',
        ),
        ("password=hunter22 next", "password=[masked:named-value] next"),
        ("postgres://u:pa55@db/x", "postgres://u:[masked:url-password]@db/x"),
        (
            r'{"a":"{\"client_secret\": \"s3cr3t x\"}"}',
            r'{"a":"{\"client_secret\": \"[masked:named-value]\"}"}',
        ),
    ],
)
def test_values_are_secret_by_their_name(text: str, masked: str) -> None:
    assert mask([text]) == [masked]
    assert mask_text(text).text == masked


@pytest.mark.parametrize(
    "text",
    [
        "risk-based-assessment-of-things and task-1234567890123456789",
        "the bearer of this letter asks for a token of thanks",
        '{"gen_ai.usage.input_tokens":100,"max_tokens":4096,"token_id":"ad23af29ad77"}',
        '{"gen_ai.conversation.id":"conv_5j66UpCpwteGg4YSxUnt7lPY","id":"call_JpNb8OiAkbIbHzDggfpdDHpi"}',
        "reset my password and tell me the secret",
        "http://127.0.0.1:4318/v1/traces",
        "",
    ],
)
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert mask([text]) == [text]


def test_each_text_of_many_is_judged_for_itself() -> None:
    texts = ["plain", SECRETS["aws-key-id"], "", "plain", SECRETS["slack-token"]]
    assert mask(texts) == ["plain", "[masked:aws-key-id]", "", "plain", "[masked:slack-token]"]
    assert mask([]) == []


@given(
    st.recursive(
        st.text(max_size=30) | st.integers() | st.none() | st.sampled_from(sorted(SECRETS.values())),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["api_key", "password", "x", 'q"', "a\\"]), inner, max_size=3)
        ),
        max_leaves=8,
    )
)
@settings(max_examples=300, deadline=None)
def test_json_stays_json_and_no_known_secret_is_left(value: object) -> None:
    text = json.dumps(value)
    (masked,) = mask([text])
    assert mask_text(text).text == masked
    json.loads(masked)
    (twice,) = mask([json.dumps({"inner": text})])
    json.loads(json.loads(twice)["inner"])
    for secret in SECRETS.values():
        assert json.dumps(secret)[1:-1] not in masked


def test_a_text_made_to_be_slow_is_not() -> None:
    texts = [("password" * 40_000) + ":", "bearer " * 50_000, "eyJ" * 100_000, "-----BEGIN A " * 20_000]
    started = time.process_time()
    mask(texts)
    for text in texts:
        mask_text(text)
    assert time.process_time() - started < 10


def test_every_rule_of_the_table_is_tried_here() -> None:
    # A rule is only applied to texts that a hint finds: a rule that no test meets may never be reached.
    tried = set(SECRETS) | {"named-value", "bearer-token", "url-password"}
    assert {rule.name for rule in RULES} == tried
    assert all(rule.source for rule in RULES)


@pytest.mark.parametrize("key", ["gsk_" + "a1" * 12, "xai-" + "b2" * 12, "pplx-" + "c3" * 12])
def test_keys_of_other_model_vendors_are_masked(key: str) -> None:
    assert mask_text(f"key {key}.") == ("key [masked:model-api-key].", 1)


def test_a_secret_never_reaches_log_or_payload_and_is_counted(workspace: Workspace) -> None:
    key, token = SECRETS["model-api-key"], SECRETS["github-token"]
    with LogWriter(workspace, recorded_via="runner", process_name="test") as writer:
        made = make_payload(f"call it with {key} or {token}", kind="task", occurred_at=AT, run_id="r1")
        refused = started("r1", 1, refusal_rule="r", reason=f"he sent {token}") | {
            "event_type": "run_refused"
        }
        writer.append([started("r1", **made.columns), refused], [made.payload])
        on_disk = b"".join(path.read_bytes() for path in workspace.root.rglob("*") if path.is_file())
    assert key.encode() not in on_disk
    assert token.encode() not in on_disk
    first, second = run_events(workspace, "r1")
    assert (first["masked_count"], second["masked_count"]) == (2, 1)
    assert second["reason"] == "he sent [masked:github-token]"
    payload_id = made.payload.payload_id
    expected = "call it with [masked:model-api-key] or [masked:github-token]"
    assert payload_texts(workspace, [payload_id]) == {payload_id: expected}


def test_an_event_without_a_secret_is_passed_on_as_it_is() -> None:
    event = started("r1", reason="the order was paid twice")
    assert mask_event(event) is event
    assert "masked_count" not in make_payload("Refund order 17", kind="task", occurred_at=AT).columns
