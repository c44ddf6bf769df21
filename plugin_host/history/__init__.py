"""The history of a session: every stretch of music that was generated, as a tree, in one folder that can be moved.

node.py      a node: one generated stretch, its place, its recipe, its files
database.py  takes.db: its tables, careful opening, transactions
files.py     the session's files: checksums, references, names that stay inside the folder
history.py   the tree: add, find, keep, discard, rate; the only writer of nodes
head.py      where the music goes on: go, rewind, switch, undo, redo
path.py      the stretches that are heard from the root to the head
tokens.py    codes of the codec, packed
collect.py   garbage collection by the user's rule
check.py     whether a session is whole

A file is flushed to the disk under its final name before the row that names it is committed.
"""
