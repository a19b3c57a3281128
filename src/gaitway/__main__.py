"""`python -m gaitway` is `gaitway`, for launchers such as torchrun."""

import sys

from gaitway.cli import main

if __name__ == "__main__":
    sys.exit(main())
