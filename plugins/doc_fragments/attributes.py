# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Attributes that all modules document."""

from __future__ import annotations


class ModuleDocFragment:
    """Use as gpops.toolkit.attributes, with the parts that hold for the module."""

    DOCUMENTATION = r"""
options: {}
attributes:
  action_group:
    description: Use C(group/gpops.toolkit.gp) in C(module_defaults) to set the options of all modules at once.
    support: full
    membership:
      - gpops.toolkit.gp
  platform:
    description: Target OS/families that can be operated against.
    support: full
    platforms: posix
    details:
      - The host that runs the module, not those of the database.
"""

    # Modules that only look.
    INFO = r"""
options: {}
attributes:
  check_mode:
    description: Can run in check mode and return changed status prediction without modifying the target.
    support: full
    details:
      - This module only looks and changes nothing in any mode.
  diff_mode:
    description: Returns details on what has changed (or possibly needs changing in check mode), when in diff mode.
    support: N/A
    details:
      - This module changes nothing.
  idempotent:
    description: Running the module again on the same state changes nothing.
    support: full
    details:
      - This module changes nothing.
"""

    # Modules that act.
    ACTING = r"""
options: {}
attributes:
  check_mode:
    description: Can run in check mode and return changed status prediction without modifying the target.
    support: full
    details:
      - Nothing is sent that changes anything; the result is what would happen.
  diff_mode:
    description: Returns details on what has changed (or possibly needs changing in check mode), when in diff mode.
    support: full
  idempotent:
    description: Running the module again on the same state changes nothing.
    support: full
"""
