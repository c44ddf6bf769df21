"""From a token stream to a lane's ring: codec, loudness, fader, limiter, blocks."""
