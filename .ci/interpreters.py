# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Python interpreters of this machine: those on the PATH, of pyenv, of uv and of GitHub's runners.

Usage: python3 .ci/interpreters.py VERSION...
It prints the program of the first of these versions that there is, or fails and says what it looked for. If the
interpreter that runs it is one of them, it is the first. Any Python 3 can run it.
"""

from __future__ import annotations

import glob
import os
import subprocess
import sys
from itertools import chain
from pathlib import Path
from typing import Iterable  # noqa: UP035 - it may run on an old Python


def interpreters(versions: Iterable[str]) -> dict[str, Path]:
    """Return the folder of a real interpreter for each of the versions that this machine has."""
    patterns = ["~/.pyenv/versions/*/bin", "~/.local/share/uv/python/*/bin"]
    patterns += [os.path.join(os.environ.get("PYENV_ROOT", ""), "versions/*/bin")]
    patterns += [os.path.join(os.environ.get("RUNNER_TOOL_CACHE", ""), "Python/*/*/bin")]
    found_folders = (sorted(glob.glob(os.path.expanduser(pattern))) for pattern in patterns)
    folders = [Path(folder) for folder in chain(os.get_exec_path(), *found_folders)]
    found: dict[str, Path] = {}
    for version in versions:
        for folder in folders:
            real = real_folder(folder / f"python{version}")
            if real is not None:
                found[version] = real
                break
    return found


def real_folder(program: Path) -> Path | None:
    """Return where the interpreter behind a program lies, or None where it cannot make an environment."""
    if not os.access(program, os.X_OK):
        return None
    # A Python of Debian has venv without what venv needs.
    question = "import sys, ensurepip, venv; print(sys.base_prefix)"
    answer = subprocess.run([str(program), "-c", question], capture_output=True, text=True, check=False)
    folder = Path(answer.stdout.strip()) / "bin"
    return folder if answer.returncode == 0 and os.access(folder / program.name, os.X_OK) else None


def main(versions: list[str]) -> int:
    """Print the first one."""
    own = f"{sys.version_info[0]}.{sys.version_info[1]}"
    found = interpreters(sorted(versions, key=lambda version: version != own))
    if not found:
        print(f"There is no Python {' or '.join(versions)} on this machine that can make environments", file=sys.stderr)
        return 1
    version, folder = next(iter(found.items()))
    print(folder / f"python{version}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
