"""One lane: its commands, its stream, how it follows its host."""
