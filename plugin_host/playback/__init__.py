"""`process()` and its parts: what runs on the audio thread."""
