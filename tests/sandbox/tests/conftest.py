# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One sandbox for each profile, started when the first test asks for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from sandbox import Sandbox
from sandbox.profiles import PROFILES
from sandbox.tests.clients import Scene, scene


@pytest.fixture(scope="session")
def start_box() -> Iterator[Callable[..., Sandbox]]:
    with ExitStack() as stack:
        started: dict[Any, Sandbox] = {}

        def start(profile: str, **options: Any) -> Sandbox:
            key = (profile, *sorted(options.items()))
            if key not in started:
                started[key] = stack.enter_context(Sandbox(profile, **options))
            return started[key]

        yield start


@pytest.fixture(params=sorted(PROFILES))
def box(request: pytest.FixtureRequest, start_box: Callable[..., Sandbox]) -> Sandbox:
    return start_box(request.param)


@pytest.fixture
def full(box: Sandbox) -> Iterator[Scene]:
    """A group of one slot, which is taken."""
    with scene(box) as made:
        made.hold()
        yield made
