"""The proof: write-ahead chain, sealed segments, manifest, Merkle tree, checkpoints, verification."""
