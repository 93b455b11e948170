# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the contract is held against: a cluster named by the environment, or one sandbox a profile."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from contract.replay import Answer, Target, replay
from sandbox import Sandbox

REAL_HOST = os.environ.get("GPOPS_TEST_HOST")


def families() -> list[str]:
    """A real cluster is the only target; otherwise all profiles are."""
    if REAL_HOST:
        return [os.environ["GPOPS_TEST_FAMILY"]]
    return ["gp6", "gp7", "gp7ga", "cb"]


class Recordings:
    """The answers of each family, recorded when first asked for."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._answers: dict[str, dict[str, Answer]] = {}

    def of(self, family: str) -> dict[str, Answer]:
        if family not in self._answers:
            self._answers[family] = replay(self._target(family))
        return self._answers[family]

    def _target(self, family: str) -> Target:
        if REAL_HOST:
            return Target(family, REAL_HOST, int(os.environ["GPOPS_TEST_PORT"]))
        box = self._stack.enter_context(Sandbox(family))
        return Target(family, box.host, box.port)


@pytest.fixture(scope="session")
def recordings() -> Iterator[Recordings]:
    with ExitStack() as stack:
        yield Recordings(stack)
