"""Tools for all packages: text for a terminal, whole files, missing libraries, the compiler."""
