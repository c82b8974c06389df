"""Run the command line as `python -m crmbridge`."""

from crmbridge.cli.main import main

if __name__ == "__main__":
    main()
