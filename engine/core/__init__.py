"""The rules of MusicGen as small pure functions: shapes, delay pattern, guidance, sampling."""
