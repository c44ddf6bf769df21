"""The patches of `pd/` and `max/`: `python -m plugin_host.patches` writes them, `--check` compares them."""
