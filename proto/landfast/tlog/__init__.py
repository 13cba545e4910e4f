"""The transparency log: what controller and auditors share.

The formats are those of C2SP (https://c2sp.org): tlog-tiles, tlog-checkpoint, signed-note, tlog-proof, tlog-cosignature
and tlog-witness, over Merkle trees of RFC 6962. An entry's place in the log is its place in the tree.
"""
