# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Write anew the files that pip installs from: each version, with the hashes of all its files on PyPI.

Usage: python .ci/locks.py UV            UV is the program of that name; "make constraints" calls this

pip takes nothing whose hash is not in them, whichever index or mirror it comes from. They hold for all platforms and
for all Pythons from the oldest one on.
"""

from __future__ import annotations

import re
import subprocess
import sys
import typing as t
from pathlib import Path

from cores import CORES, NEXT, lock_of
from export import ROOT

CONSTRAINTS = ROOT / "tests" / "constraints.txt"
DEMO = ROOT / "tests" / "demo" / "requirements.txt"
# What is asked for -> what is installed, and the oldest Python for it.
LOCKS = {
    DEMO: (ROOT / "tests" / "demo" / "lock.txt", "3.11"),
    ROOT / "tests" / "requirements.txt": (ROOT / "tests" / "lock.txt", "3.12"),
    ROOT / "tests" / "nox" / "requirements.txt": (ROOT / "tests" / "nox" / "lock.txt", "3.12"),
}
# The licence of a lock is that of this file.
LICENCE = "".join(Path(__file__).read_text(encoding="utf-8").splitlines(keepends=True)[:2])
HEAD = f'{LICENCE}\n# Written by "make constraints".\n'


def compiled(uv: str, python: str, constraints: t.Sequence[Path], source: str, text: str = "") -> str:
    """The contents of a lock."""
    command = [uv, "pip", "compile", "--universal", "--generate-hashes", "--no-annotate", "--no-header", "--no-config"]
    # No mirror and no folder of this machine: hashes are those of PyPI's own files.
    command += ["--index-url", "https://pypi.org/simple", "--no-emit-index-url", "--no-python-downloads"]
    command += ["--python-version", python]
    command += [part for path in constraints for part in ("--constraint", str(path))]
    done = subprocess.run([*command, source], input=text, stdout=subprocess.PIPE, text=True, check=True, cwd=ROOT)
    return HEAD + done.stdout


def write(uv: str) -> None:
    """All of them."""
    for source, (lock, python) in LOCKS.items():
        # What nox needs is apart from all else.
        constraints = [] if source.parent.name == "nox" else [CONSTRAINTS]
        lock.write_text(compiled(uv, python, constraints, str(source)), encoding="utf-8")
    driver = re.search(r"^psycopg2-binary==\S+$", DEMO.read_text(encoding="utf-8"), re.MULTILINE)
    assert driver
    for core, pythons in {**CORES, **NEXT}.items():
        lock_of(core).parent.mkdir(exist_ok=True)
        wanted = f"ansible-core=={core}\n{driver[0]}\n"
        lock_of(core).write_text(compiled(uv, pythons[0], [], "-", wanted), encoding="utf-8")


if __name__ == "__main__":
    write(sys.argv[1])
