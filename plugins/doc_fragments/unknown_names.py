# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The option for names that the cluster does not have, shared by the modules that choose sessions."""

from __future__ import annotations


class ModuleDocFragment:
    """Use as gpops.toolkit.unknown_names."""

    DOCUMENTATION = r"""
options:
  unknown_names:
    description:
      - What to do about an exact name of a role, a database or a resource group that the cluster does not have. It
        chooses, spares or limits nobody, most often because of a slip of the pen. A glob is no such name.
      - With V(warn), warn of each. With V(fail), fail before anything is sent. With V(ignore), do not look.
    type: str
    choices: [warn, fail, ignore]
    default: warn
"""
