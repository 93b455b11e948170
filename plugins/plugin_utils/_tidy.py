# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What all action plugins of the collection have in common. Private to the collection."""

from __future__ import annotations

import contextlib

from ansible.plugins.action import ActionBase


class TidyAction(ActionBase):
    """An action plugin whose result is not lost by what Ansible tidies up after it."""

    def cleanup(self, force: bool = False) -> None:
        """Remove temporary files; if that fails, they stay."""
        with contextlib.suppress(Exception):
            super().cleanup(force)  # type: ignore[no-untyped-call]  # Ansible has no types there
