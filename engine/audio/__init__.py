"""Audio in and out of the engine: files, sample rates, channels, loudness, extrapolation."""
