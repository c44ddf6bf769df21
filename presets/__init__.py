"""Presets as TOML files; `bridge.control.presets` reads them, README.md describes the keys."""
