"""Musical time: exact units, transport, tempo map, courses of a song, tap tempo."""
