"""The command line, `segue`."""
