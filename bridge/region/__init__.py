"""Regions of the user's music: checks, files, tempo, transfer, and what a plugin captured."""
