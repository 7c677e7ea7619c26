"""Checks an evidence bundle without Fleetbook: ``python verify.py [--vkey KEY]`` in the bundle's folder.

Needs Python 3.11 and the package ``cryptography``. It computes again: the notary's signature on the
checkpoint, the Merkle proof of each segment line, the hash chain of the events up to the head that the line
states, and the commitment of each text. Give the notary's public key as you know it with --vkey: the key in
the bundle proves nothing about who signed. Ends with 0 when everything holds, 1 with findings, 2 when it
could not be checked.
It cannot show that the bundle is complete; `fleetbook verify` on the whole log does.
"""

from __future__ import annotations

import argparse
import base64
import json
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

EVENT_LABEL = b"fleetbook/event/v1\0"
_ED25519 = b"\x01"
# These carry content_capture as what was declared, not for a text of their own.
DECLARATIONS = ("token_created", "content_capture_set")


def signed_text(note: str, vkey: str) -> str | None:
    """The text of a C2SP signed note, or None unless the key ``name+id+base64`` signed it."""
    name, _, encoded = vkey.strip().split("+", 2)
    key = base64.b64decode(encoded)
    key_id = sha256(name.encode() + b"\n" + key).digest()[:4]
    text, _, signatures = note.rpartition("\n\n")
    for line in signatures.splitlines():
        who, _, signature = line.removeprefix("\u2014 ").rpartition(" ")
        raw = base64.b64decode(signature)
        if who == name and raw[:4] == key_id and key[:1] == _ED25519:
            try:
                Ed25519PublicKey.from_public_bytes(key[1:]).verify(raw[4:], f"{text}\n".encode())
            except InvalidSignature:
                continue
            return f"{text}\n"
    return None


def is_included(line: bytes, index: int, size: int, proof: list[bytes], root: bytes) -> bool:
    """RFC 9162, section 2.1.3.2: ``proof`` leads from the leaf ``line`` to ``root``."""
    position, last = index, size - 1
    found = sha256(b"\x00" + line).digest()
    if not 0 <= index < size:
        return False
    for sibling in proof:
        if last == 0:
            return False
        if position & 1 or position == last:
            found = sha256(b"\x01" + sibling + found).digest()
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            found = sha256(b"\x01" + found + sibling).digest()
        position, last = position >> 1, last >> 1
    return last == 0 and found == root


def check_chain(chain: dict[str, Any], events: list[dict[str, Any]], size: int, root: bytes) -> Iterator[str]:
    """One segment: its line is in the tree, and its events lead to the head that the line states."""
    line = json.loads(chain["line"])
    name = f"segment {line['writer_id']} {line['first_seq']}-{line['last_seq']}"
    proof = [bytes.fromhex(node) for node in chain["proof"]]
    if not is_included(chain["line"].encode(), chain["index"], size, proof, root):
        yield f"{name}: its manifest line is not in the signed tree"
    head, seq = bytes.fromhex(chain["hash_before"]), chain["first_seq"]
    if seq == line["first_seq"] and chain["hash_before"] != line["prev_head"]:
        yield f"{name}: it does not begin where the line says"
    for event in events:
        body = json.loads(event["body"])
        head = sha256(EVENT_LABEL + head + event["body"].encode()).digest()
        if (body["writer_id"], body["seq"]) != (line["writer_id"], seq):
            yield f"{name}: event {body['event_id']} stands at seq {seq}, its body says {body['seq']}"
        if head.hex() != event["hash"]:
            yield f"{name}: event {body['event_id']} does not have the chain value beside it"
            head = bytes.fromhex(event["hash"])
        seq += 1
    if seq != line["last_seq"] + 1 or head.hex() != line["head"]:
        yield f"{name}: its events do not end in the head that the line states"


def check_payloads(bodies: list[dict[str, Any]], payloads: dict[str, dict[str, Any]]) -> Iterator[str]:
    """Every text has its commitment; one that is not there is withheld, or erased on record."""
    erased = {body.get("payload_id") for body in bodies if body["event_type"] == "payload_erased"}
    named: dict[str, str] = {}
    for body in bodies:
        if "payload_commit" in body and "payload_id" in body:
            named[body["payload_id"]] = body["payload_commit"]
    for payload_id, payload in payloads.items():
        if payload_id not in named:
            yield f"payload {payload_id}: no event in the bundle names it"
        elif payload["state"] == "text":
            content = bytes.fromhex(payload["salt"]) + payload["content"].encode()
            if sha256(content).hexdigest() != named[payload_id]:
                yield f"payload {payload_id}: its text does not have the commitment that the log holds"
        elif payload["state"] == "erased" and payload_id not in erased:
            yield f"payload {payload_id}: said to be erased, but no event records it"
        elif payload["state"] == "missing":
            yield f"payload {payload_id}: the text is gone without a record of its erasure"


def is_unkept(body: dict[str, Any]) -> bool:
    """Whether the event had a text that was not kept, or as a hash only, because that is declared."""
    return "content_capture" in body and body["event_type"] not in DECLARATIONS


def is_in_scope(body: dict[str, Any], scope: dict[str, str]) -> bool:
    """Whether an event belongs to the run, the agent or the month that the bundle is about."""
    if "month" in scope:
        return str(body["occurred_at"]).startswith(scope["month"])
    ((name, wanted),) = scope.items()
    return bool(body.get(name) == wanted)


def check(folder: Path, vkey: str | None) -> tuple[list[str], str]:
    """All findings, and what was checked in one sentence."""
    about = json.loads((folder / "bundle.json").read_text(encoding="utf-8"))
    key = vkey or (folder / "notary.vkey").read_text(encoding="utf-8")
    text = signed_text((folder / "checkpoint").read_text(encoding="utf-8"), key)
    if text is None:
        return ["checkpoint: it is not signed by this key"], ""
    _, size, root = text.split("\n")[:3]
    events = _lines(folder / "events.jsonl")
    chains = _lines(folder / "chains.jsonl")
    findings: list[str] = []
    start = 0
    for chain in chains:
        rows = events[start : start + chain["event_count"]]
        findings += check_chain(chain, rows, int(size), base64.b64decode(root))
        start += chain["event_count"]
    if start != len(events):
        findings.append(f"events.jsonl: {len(events) - start} events belong to no chain")
    bodies = [json.loads(event["body"]) for event in events]
    chosen = [body for body, event in zip(bodies, events, strict=True) if event["is_in_scope"]]
    if chosen != [body for body in bodies if is_in_scope(body, about["scope"])]:
        findings.append("events.jsonl: other events are marked as in scope than those that are")
    if len(chosen) != about["event_count"]:
        findings.append(f"events.jsonl: {len(chosen)} events in scope, not {about['event_count']}")
    payloads = {payload["payload_id"]: payload for payload in _lines(folder / "payloads.jsonl")}
    needed = {body["payload_id"] for body in chosen if "payload_commit" in body and "payload_id" in body}
    findings += [f"payload {name}: not in the bundle" for name in sorted(needed - payloads.keys())]
    findings += check_payloads(bodies, payloads)
    said = f"{len(chosen)} events in scope, {len(chains)} chains, {len(payloads)} texts, {size} leaves"
    locked = sum(payload["state"] == "locked" for payload in payloads.values())
    if locked:
        said += f"; {locked} texts were encrypted with a key that was not at hand, and are not checked"
    unkept = sum(map(is_unkept, chosen))
    if unkept:
        said += f"; {unkept} events had a text that was not kept, as declared"
    return findings, said


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().split(b"\n") if line]


def main() -> int:
    """Check the bundle beside this file."""
    parser = argparse.ArgumentParser(description="Check a Fleetbook evidence bundle.")
    parser.add_argument("--vkey", help="the notary's public key as you know it")
    arguments = parser.parse_args()
    try:
        findings, said = check(Path(__file__).resolve().parent, arguments.vkey)
    except (OSError, ValueError, KeyError, TypeError) as error:
        print(f"Not checked: the bundle cannot be read ({type(error).__name__}: {error}).")
        return 2
    for finding in findings:
        print(finding)
    if not arguments.vkey:
        print("Note: checked with the key in the bundle. Give --vkey with the notary's key as you know it.")
    print(f"{len(findings)} findings." if findings else f"Everything holds: {said}.")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
