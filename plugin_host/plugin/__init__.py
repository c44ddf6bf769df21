"""The DAW plugin: C++ sources (src/), building (build.py), installation (install.py) and measurement."""
