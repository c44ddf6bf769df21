"""Presets as TOML files; `bridge.control.presets` reads them, README.md says what a key means."""
