"""Musical time: exact units, transport, tempo map, course of a song, tap tempo."""
