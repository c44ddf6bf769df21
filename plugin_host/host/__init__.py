"""The headless host: timeline, clip, clock, sound cards."""
