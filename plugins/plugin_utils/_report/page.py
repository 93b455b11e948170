# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A report as one page: no script, no network, nothing of a user's is markup. Private to the collection."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.gpops.toolkit.plugins.plugin_utils._report import records, view
from jinja2 import Environment, FileSystemLoader, StrictUndefined

TEMPLATES = Path(__file__).resolve().parent / "templates"


def render(document: records.Data) -> str:
    """The page of a report."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2").render(view.view(document)) + "\n"
