"""The engine as a process: OSC in, lanes of music out; reading order: options, lane, chain, player, studio, server."""
