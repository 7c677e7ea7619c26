"""The Merkle tree of RFC 6962, section 2.1, over the manifest's lines: root, inclusion, consistency."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256


def leaf_hash(entry: bytes) -> bytes:
    """SHA256(0x00 || entry)."""
    return sha256(b"\x00" + entry).digest()


def _node_hash(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()


def _split(size: int) -> int:
    """The largest power of two smaller than ``size`` (> 1)."""
    return 1 << ((size - 1).bit_length() - 1)


def _root(leaves: Sequence[bytes]) -> bytes:
    if not leaves:
        return sha256(b"").digest()
    level = list(leaves)
    while len(level) > 1:
        paired = [_node_hash(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
        level = paired + level[len(paired) * 2 :]
    return level[0]


def tree_root(entries: Sequence[bytes]) -> bytes:
    """MTH of the ``entries`` (32 bytes); SHA256 of nothing when there are none."""
    return _root([leaf_hash(entry) for entry in entries])


def prefix_roots(entries: Sequence[bytes], sizes: Iterable[int]) -> dict[int, bytes]:
    """The root of the first n ``entries`` for each n of ``sizes`` up to the tree's size, in one pass."""
    wanted = {size for size in sizes if 0 <= size <= len(entries)}
    found = {0: tree_root([])} if 0 in wanted else {}
    perfect: list[tuple[int, bytes]] = []  # heights and roots of the perfect subtrees so far, largest first
    for size, entry in enumerate(entries, start=1):
        height, node = 0, leaf_hash(entry)
        while perfect and perfect[-1][0] == height:
            node = _node_hash(perfect.pop()[1], node)
            height += 1
        perfect.append((height, node))
        if size in wanted:
            root = node
            for _, left in reversed(perfect[:-1]):
                root = _node_hash(left, root)
            found[size] = root
    return found


def inclusion_proof(entries: Sequence[bytes], index: int) -> list[bytes]:
    """PATH(index, entries): the hashes that lead from leaf ``index`` to the root. Raises IndexError."""
    if not 0 <= index < len(entries):
        raise IndexError(f"leaf {index} of a tree of {len(entries)}")
    return _path([leaf_hash(entry) for entry in entries], index)


def _path(leaves: Sequence[bytes], index: int) -> list[bytes]:
    if len(leaves) == 1:
        return []
    split = _split(len(leaves))
    if index < split:
        return [*_path(leaves[:split], index), _root(leaves[split:])]
    return [*_path(leaves[split:], index - split), _root(leaves[:split])]


def check_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """True when ``proof`` leads from the hash ``leaf`` at ``index`` to ``root`` of ``size`` leaves.

    The algorithm is RFC 9162, section 2.1.3.2.
    """
    if not 0 <= index < size:
        return False
    position, last, found = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            return False
        if position & 1 or position == last:
            found = _node_hash(sibling, found)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            found = _node_hash(found, sibling)
        position, last = position >> 1, last >> 1
    return last == 0 and found == root


def consistency_proof(entries: Sequence[bytes], old_size: int) -> list[bytes]:
    """PROOF(old_size, entries): the tree of the first ``old_size`` begins this one. Raises IndexError."""
    if not 0 < old_size <= len(entries):
        raise IndexError(f"no tree of {old_size} in a tree of {len(entries)}")
    return _subproof([leaf_hash(entry) for entry in entries], old_size, is_whole=True)


def _subproof(leaves: Sequence[bytes], old_size: int, *, is_whole: bool) -> list[bytes]:
    if old_size == len(leaves):
        return [] if is_whole else [_root(leaves)]
    split = _split(len(leaves))
    if old_size <= split:
        return [*_subproof(leaves[:split], old_size, is_whole=is_whole), _root(leaves[split:])]
    return [*_subproof(leaves[split:], old_size - split, is_whole=False), _root(leaves[:split])]


def check_consistency(
    old_size: int, new_size: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]
) -> bool:
    """True when ``proof`` shows that the new tree only adds to the old one (RFC 9162, 2.1.4.2)."""
    if not 0 < old_size <= new_size:
        return False
    if old_size == new_size:
        return not proof and old_root == new_root
    hashes = list(proof)
    if old_size & (old_size - 1) == 0:
        hashes.insert(0, old_root)
    if not hashes:
        return False
    position, last = old_size - 1, new_size - 1
    while position & 1:
        position, last = position >> 1, last >> 1
    old = new = hashes[0]
    for sibling in hashes[1:]:
        if last == 0:
            return False
        if position & 1 or position == last:
            old, new = _node_hash(sibling, old), _node_hash(sibling, new)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            new = _node_hash(new, sibling)
        position, last = position >> 1, last >> 1
    return last == 0 and old == old_root and new == new_root
