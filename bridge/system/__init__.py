"""Tools for all packages: text for a terminal, atomic files, missing libraries, the compiler."""
