# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the contract is held against: a cluster named by the environment, or one sandbox a profile."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from contract.replay import TRANSCRIPT, Answer, Target, replay
from sandbox import Sandbox

REAL_HOST = os.environ.get("GPOPS_TEST_HOST")
MANAGED = "gp6-managed"


def profiles() -> list[str]:
    """A real cluster is the only target; otherwise all that has a transcript is."""
    if not REAL_HOST:
        return list(TRANSCRIPT)
    family = os.environ["GPOPS_TEST_FAMILY"]
    return [MANAGED if family == "gp6" and os.environ.get("GPOPS_TEST_MANAGED") == "1" else family]


class Engines:
    """Each engine, started when first asked for, and what it answered to the recorded cases."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._answers: dict[str, dict[str, Answer]] = {}
        self._started: dict[tuple[str, int], Target] = {}

    def recording(self, profile: str) -> dict[str, Answer]:
        if profile not in self._answers:
            self._answers[profile] = replay(self.target(profile))
        return self._answers[profile]

    def target(self, profile: str, max_connections: int = 400) -> Target:
        if REAL_HOST:
            return Target(profile, REAL_HOST, int(os.environ["GPOPS_TEST_PORT"]))
        key = profile, max_connections
        if key not in self._started:
            box = self._stack.enter_context(Sandbox(profile, max_connections=max_connections))
            self._started[key] = Target(profile, box.host, box.port, box.secret)
        return self._started[key]


@pytest.fixture(scope="session")
def engines() -> Iterator[Engines]:
    with ExitStack() as stack:
        yield Engines(stack)
