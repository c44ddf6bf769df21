"""The engine as a process: OSC in, lanes of music out.

Reading order: options, server, desk, settings, lane, studio, director, follow, player, place, chain.
"""
