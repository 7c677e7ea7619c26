"""The proofs rest on published formats: RFC 6962 trees and C2SP notes, pinned to the published vectors."""

from __future__ import annotations

import pytest

from ingest.errors import NotaryError, NotaryRefusal
from ingest.log.checkpoint import checkpoint_files, memory_path, notarise
from ingest.log.merkle import (
    check_consistency,
    check_inclusion,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    prefix_roots,
    tree_root,
)
from ingest.log.note import Checkpoint, Signer, Verifier
from ingest.log.wal import first_head, next_head
from ingest.workspace import Workspace
from tests.log_events import manifest_entries, write_manifest, write_runs

# The leaves and roots of the reference implementation of RFC 6962 (certificate-transparency, MerkleTreeTest).
CT_LEAVES = [
    bytes.fromhex(leaf)
    for leaf in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
CT_ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
CT_CONSISTENCY = {
    (1, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (6, 8): [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 5): [
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}
# The example of c2sp.org/signed-note.
C2SP_VKEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
C2SP_NOTE = (
    "This is an example message.\n\n"
    "— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYj"
    "OBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
)


@pytest.mark.parametrize("size", range(9))
def test_roots_are_those_of_the_reference_implementation(size: int) -> None:
    assert tree_root(CT_LEAVES[:size]).hex() == CT_ROOTS[size]


def test_the_roots_of_all_prefixes_come_from_one_pass() -> None:
    assert {size: root.hex() for size, root in prefix_roots(CT_LEAVES, range(99)).items()} == dict(
        enumerate(CT_ROOTS)
    )


@pytest.mark.parametrize(("old", "new"), CT_CONSISTENCY)
def test_consistency_proofs_are_those_of_the_reference_implementation(old: int, new: int) -> None:
    proof = consistency_proof(CT_LEAVES[:new], old)
    assert [node.hex() for node in proof] == CT_CONSISTENCY[old, new]


def test_every_proof_holds_for_its_tree_and_for_no_other() -> None:
    leaves = [bytes([number]) for number in range(21)]
    roots = prefix_roots(leaves, range(22))
    for size in range(1, 22):
        for index in range(size):
            proof = inclusion_proof(leaves[:size], index)
            assert check_inclusion(leaf_hash(leaves[index]), index, size, proof, roots[size])
            assert not check_inclusion(leaf_hash(b"other"), index, size, proof, roots[size])
        for old in range(1, size + 1):
            proof = consistency_proof(leaves[:size], old)
            assert check_consistency(old, size, roots[old], roots[size], proof)
            assert not check_consistency(old, size, roots[old - 1], roots[size], proof)


def test_the_published_note_opens_with_its_key() -> None:
    verifier = Verifier.parse(C2SP_VKEY)
    assert verifier.open(C2SP_NOTE) == "This is an example message.\n"
    assert verifier.vkey == C2SP_VKEY


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("example message", "other message"),
        ("Uw2Q", "Vw2Q"),
        ("Okn8", "Okn9"),
        ("foo U", "bar U"),
        ("— ", "- "),
    ],
)
def test_a_changed_note_does_not_open(old: str, new: str) -> None:
    assert old in C2SP_NOTE
    with pytest.raises(NotaryError, match="not signed by"):
        Verifier.parse(C2SP_VKEY).open(C2SP_NOTE.replace(old, new))


@pytest.mark.parametrize(
    "key", ["", "a+b", C2SP_VKEY.replace("530d", "530e"), C2SP_VKEY.replace("Aek", "Bek")]
)
def test_a_damaged_key_is_refused(key: str) -> None:
    with pytest.raises(NotaryError, match="No key"):
        Verifier.parse(key)


def test_a_checkpoint_has_the_form_of_the_specification_and_survives_a_round() -> None:
    signer = Signer.parse(Signer.generate("fleetbook.local/test").skey)
    checkpoint = Checkpoint(origin="fleetbook.local/test", size=8, root=bytes.fromhex(CT_ROOTS[8]))
    text = signer.verifier.open(signer.sign(checkpoint.text))
    assert text == "fleetbook.local/test\n8\nXcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyg=\n"
    assert Checkpoint.parse(text) == checkpoint


# printf 'fleetbook/writer/v1\\0w1' | sha256sum, and the same over event label, that value and {"a":1}.
WRITER_HEAD = "cfc084e6d105ff1562d5cb11ad2be885ea2bed703b48adb4757cc6d33dc76a50"
EVENT_HEAD = "0f8b08352ac85c42ca3469b1c9655af8ff0e21a922596cb6f0bf6438835e6c99"


def test_the_chain_is_what_the_documentation_says() -> None:
    head = first_head("w1")
    assert head.hex() == WRITER_HEAD
    assert next_head(head, b'{"a":1}').hex() == EVENT_HEAD


def test_the_notary_signs_a_log_that_grew(workspace: Workspace) -> None:
    write_runs(workspace, "first", 3)
    first = notarise(workspace)
    write_runs(workspace, "second", 3)
    second = notarise(workspace)
    assert (first.checkpoint.size, second.checkpoint.size) == (1, 2)
    assert [path.name for path in checkpoint_files(workspace)] == [first.path.name, second.path.name]
    assert not notarise(workspace).is_new


@pytest.mark.parametrize("keep", [0, 1])
def test_the_notary_refuses_a_log_that_lost_lines(workspace: Workspace, keep: int) -> None:
    write_runs(workspace, "first", 3)
    write_runs(workspace, "second", 3)
    notarise(workspace)
    write_manifest(workspace, manifest_entries(workspace)[:keep])
    with pytest.raises(NotaryRefusal, match=r"has fewer lines .*fleetbook verify"):
        notarise(workspace)


def test_the_notary_refuses_a_log_that_was_rewritten(workspace: Workspace) -> None:
    write_runs(workspace, "first", 3)
    notarise(workspace)
    entries = manifest_entries(workspace)
    entries[0]["count"] += 1
    write_manifest(workspace, entries)
    write_runs(workspace, "second", 3)
    with pytest.raises(NotaryRefusal, match="has other lines"):
        notarise(workspace)


def test_the_notary_makes_no_second_key_for_a_log_it_signed(workspace: Workspace) -> None:
    write_runs(workspace, "first", 3)
    notarise(workspace)
    key_file = workspace.checkpoint_dir / "notary.key"
    assert key_file.stat().st_mode & 0o077 == 0
    assert memory_path(key_file).exists()
    key_file.unlink()
    with pytest.raises(NotaryError, match="Restore the key from its backup"):
        notarise(workspace)
