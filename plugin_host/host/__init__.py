"""The headless host: timeline, clip, clock, sound cards, a run from go to the last bar."""
