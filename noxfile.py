# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# /// script
# dependencies = ["antsibull-nox==1.10.0", "nox==2026.10.20"]
# ///

"""What CI runs; "nox --list" shows it.

Sessions of antsibull-nox are set up in antsibull-nox.toml and run by "make nox" in the environment of the other
checks, so that nothing is downloaded that is not pinned.  Each of the others is a target of the Makefile.
"""

from __future__ import annotations

import os
from pathlib import Path

import antsibull_nox
import nox

ROOT = Path(__file__).resolve().parent
# What is checked and how is written down once, in the Makefile.
TARGETS = {
    "static": "style, types, documentation, licences, the tarball, ansible-test sanity",
    "sanity-all": "ansible-test sanity with every ansible-core",
    "unit": "tests without a server",
    "smoke": "real playbooks with every ansible-core",
    "contract": "the embedded engine against what real engines answered",
    "integration": "modules, roles and playbooks against embedded engines",
    "molecule": "the roles by their scenarios",
    "torture-short": "the modules on servers that are not as they should be",
    "docs-site": "the documentation as a site",
    "importer": "the tarball, and what Ansible Galaxy says of it",
}

nox.options.default_venv_backend = "none"
nox.options.envdir = ".cache/nox/sessions"
os.environ["PATH"] = os.pathsep.join([str(ROOT / ".venv" / "bin"), os.environ["PATH"]])
antsibull_nox.load_antsibull_nox_toml()


def add(target: str, what: str) -> None:
    """Add a session that makes a target."""

    @nox.session(name=target, python=False, default=False)
    def session(session: nox.Session) -> None:
        session.run("make", target, external=True)

    session.func.__doc__ = what


for name, words in TARGETS.items():
    add(name, words)

if __name__ == "__main__":
    nox.main()
