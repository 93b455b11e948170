# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""python3 tests/sandbox COMMAND: the folder runs as a program wherever it lies."""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    folder = Path(__file__).resolve().parent
    # as a program, the folder itself comes first on the path: its parent is what the package needs
    sys.path[:] = [str(folder.parent), *(place for place in sys.path if Path(place or ".").resolve() != folder)]
    from sandbox.cli import main

    raise SystemExit(main())
