"""Presets as TOML files; `bridge.presets` reads them, README.md says what a key means."""
