# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Make the checkout importable as a collection, whatever its folder is called, and the sandbox as a package."""

from __future__ import annotations

import os
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LIVE = ROOT / ".cache" / "live"
LINK = LIVE / "ansible_collections" / "gpops" / "toolkit"

if not LINK.exists():
    LINK.parent.mkdir(parents=True, exist_ok=True)
    LINK.symlink_to(os.path.relpath(ROOT, LINK.parent))

os.environ.setdefault("HYPOTHESIS_STORAGE_DIRECTORY", str(ROOT / ".cache" / "hypothesis"))
sys.path[:0] = [str(LIVE), str(ROOT / "tests")]
# Programs that the tests start see the same collection and the tools of this environment.
os.environ["ANSIBLE_COLLECTIONS_PATH"] = str(LIVE)
os.environ["PATH"] = os.pathsep.join([sysconfig.get_path("scripts"), os.environ.get("PATH", os.defpath)])
