"""`process()` and its parts: the code on the audio thread."""
