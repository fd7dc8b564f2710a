"""`python -m bluerider`."""

import sys

from bluerider.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
