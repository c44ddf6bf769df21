"""The rules of MusicGen as small pure pieces: shapes, delay pattern, guidance, sampling."""
