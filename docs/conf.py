# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sphinx makes the site with this; see "make docs-site".  It needs no network."""

from __future__ import annotations

import re
import typing as t

from docutils import nodes

project = "gpops.toolkit"
copyright = "2026 gpops.toolkit contributors"  # noqa: A001 - Sphinx calls it so
title = html_short_title = "gpops.toolkit"
extensions = ["sphinx_antsibull_ext"]
html_theme = "sphinx_ansible_theme"
html_theme_options = {"topbar_links": {}, "documentation_home_url": "index.html"}
html_show_sphinx = False
html_use_modindex = False
html_use_index = False
html_copy_source = False
pygments_style = "ansible"
highlight_language = "YAML+Jinja"
default_role = "any"
nitpicky = True

# What pages made by antsibull-docs refer to in the documentation of Ansible itself, whose inventory is not at hand.
ANSIBLE = "https://docs.ansible.com/projects/ansible/latest/"
ELSEWHERE = {
    "action_plugins": "plugins/action.html",
    "ansible_configuration_settings": "reference_appendices/config.html",
    "common_return_values": "reference_appendices/common_return_values.html",
}


def elsewhere(
    app: t.Any,  # noqa: ARG001 - Sphinx hands it over
    environment: t.Any,  # noqa: ARG001 - likewise
    node: t.Any,
    content: nodes.Element,
) -> nodes.Element | None:
    """Return a link to Ansible's documentation for a label that is not here; others stay errors."""
    page = ELSEWHERE.get(node.get("reftarget", ""))
    return nodes.reference("", "", content, refuri=ANSIBLE + page, internal=False) if page else None


# The documentation site of Ansible takes the pages of a collection without pictures.  There these are comments.
PICTURE = re.compile(r"^\.\. picture (?P<file>\S+): (?P<words>.+)$", re.MULTILINE)


def pictures(app: t.Any, name: str, source: list[str]) -> None:  # noqa: ARG001 - Sphinx hands them over
    """Put the pictures in."""
    source[0] = PICTURE.sub(r".. image:: /images/\g<file>\n   :alt: \g<words>", source[0])


def setup(app: t.Any) -> dict[str, bool]:
    """Tell Sphinx of it."""
    app.connect("source-read", pictures)
    app.connect("missing-reference", elsewhere)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
