# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Write the pages of the documentation that are made from what there is: "make pages"."""

from __future__ import annotations

from integration.cluster import EMBEDDED, Scene, embedded
from sandbox import Sandbox

from pages import playbooks, runbooks, statements
from pages.rst import PAGES


def main() -> None:
    """Write them."""
    for path, text in runbooks.files().items():
        path.write_text(text, encoding="utf-8")
    (PAGES / "playbooks.rst").write_text(playbooks.page(), encoding="utf-8")
    sections = []
    for family in EMBEDDED:
        with Sandbox(profile=family) as box:
            cluster = embedded(box)
            with Scene(cluster) as scene:
                sections.append(statements.section(cluster, scene))
    (PAGES / "statements.rst").write_text(statements.page(sections), encoding="utf-8")


if __name__ == "__main__":
    main()
