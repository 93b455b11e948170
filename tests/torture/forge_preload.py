# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the fork server has imported before the first fork."""

from __future__ import annotations

from torture import forge

forge.modules()
