"""MusicGen from Python: audiocraft's method names on Segue's engine."""
