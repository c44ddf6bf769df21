"""`python -m plugin_host.cli`: the command line as a module."""

from plugin_host.cli.main import main

if __name__ == "__main__":
    main()
