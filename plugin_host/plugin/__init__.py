"""The DAW plugin: C++ sources (src/), how they are built (build.py), put in place (install.py) and measured."""
