# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pages of the documentation that are made from what there is, and what the tests read in the others."""
