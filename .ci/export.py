# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Copy the files of the checkout that are, or could be, in version control.

Usage: python .ci/export.py FOLDER
The copy is made anew at FOLDER/ansible_collections/gpops/toolkit, the only place where ansible-test works.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def tracked() -> list[str]:
    """Return the paths that git knows or would add."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return sorted(set(filter(None, names.split("\0"))))


def export(folder: Path) -> Path:
    """Make the copy and return its folder."""
    target = folder / "ansible_collections" / "gpops" / "toolkit"
    shutil.rmtree(folder, ignore_errors=True)
    for name in tracked():
        source = ROOT / name
        if source.is_symlink() or source.is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target / name, follow_symlinks=False)
    # Without this ansible-test would ask the checkout's git, which ignores the copy.
    subprocess.run(["git", "init", "--quiet"], cwd=target, check=True)
    return target


if __name__ == "__main__":
    print(export(Path(sys.argv[1])))
