"""`python -m gaitway` is the command `gaitway`, for torchrun and other launchers."""

import sys

from gaitway.cli import main

if __name__ == "__main__":
    sys.exit(main())
