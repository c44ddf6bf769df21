"""Utilities of the engine: argument checks, optional libraries, remembered measurements, memory."""
