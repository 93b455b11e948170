# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run sanity.py with every ansible-core that the collection supports and this machine has a Python for.

Usage: python .ci/cores.py all         everything, with each
       python .ci/cores.py others      what depends most on the version, with those that are not installed here
Each has an environment of its own in .cache/cores, made once from a Python package index.
"""

from __future__ import annotations

import importlib.metadata
import shutil
import subprocess
import sys
from pathlib import Path

from export import ROOT
from sanity import interpreters

# Release -> the Pythons that it runs on.
CORES = {
    "2.18.19": ("3.11", "3.12", "3.13"),
    "2.19.14": ("3.11", "3.12", "3.13"),
    "2.20.10": ("3.12", "3.13", "3.14"),
    "2.21.5": ("3.12", "3.13", "3.14"),
}
CACHE = ROOT / ".cache" / "cores"
# That a module compiles and imports, and that its documentation and argument specification agree.
QUICK = ("--test", "compile", "--test", "import", "--test", "validate-modules")


def environment(core: str, program: Path) -> Path:
    """Return the Python of an environment with this ansible-core."""
    folder = CACHE / core
    python = folder / "bin" / "python"
    stamp = folder / "complete"
    if not stamp.exists():
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([program, "-m", "venv", folder], check=True)
        install = "-m pip install --quiet --quiet --disable-pip-version-check".split()
        subprocess.run([python, *install, f"ansible-core=={core}"], check=True)
        stamp.touch()
    return python


def main() -> int:
    """Run the tests."""
    everything = sys.argv[1:] == ["all"]
    installed = importlib.metadata.version("ansible-core")
    wanted = {core: pythons for core, pythons in CORES.items() if everything or core != installed}
    status, left_out = 0, []
    for core, pythons in wanted.items():
        found = interpreters(pythons)
        if not found:
            left_out.append(f"{core} (needs Python {' or '.join(pythons)})")
            continue
        version, folder = next(iter(found.items()))
        python = environment(core, folder / f"python{version}")
        options = () if everything else QUICK
        done = subprocess.run([python, ROOT / ".ci" / "sanity.py", *options], check=False)
        status = status or done.returncode
    print("sanity: left out ansible-core", ", ".join(left_out) or "(none)")
    return status


if __name__ == "__main__":
    sys.exit(main())
