"""Checks music before it is played: faults, beat, loudness. Pure functions; numpy only."""
