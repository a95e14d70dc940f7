"""What Git calls: see driver.py."""

from __future__ import annotations

import sys

from mlworkflow.merging.driver import main

if __name__ == "__main__":
    sys.exit(main())
