"""``python -m fracmoment``."""

import sys

from fracmoment.cli import main

if __name__ == "__main__":
    sys.exit(main())
