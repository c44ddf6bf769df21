"""Changing models while lanes play: loading, warm-up, memory, change-over. All of it [load]."""
