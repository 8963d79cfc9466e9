"""`python -m conda_hardlink_plugin VERB` runs `conda hardlinks VERB` with this Python's conda."""

from __future__ import annotations

import sys

from .cli.frontend import run

if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
