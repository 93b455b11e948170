# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The clusters of the integration tests; the short form takes one family, the full one all."""

from __future__ import annotations

import typing as t

import pytest
from integration.cluster import EMBEDDED, Cluster, embedded
from integration.conftest import EXTERNAL, good_guest, nothing_is_left, scene, special
from torture.scale import scaled

__all__ = ["cluster", "good_guest", "scene", "special"]

FAMILIES = [EXTERNAL.family] if EXTERNAL else scaled(["gp7"], EMBEDDED)


@pytest.fixture(scope="session", params=FAMILIES)
def cluster(request: pytest.FixtureRequest) -> t.Iterator[Cluster]:
    """The engine of the environment, or an embedded one."""
    yield from _engine(request.param)


@pytest.fixture(scope="module", params=FAMILIES)
def own_cluster(request: pytest.FixtureRequest) -> t.Iterator[Cluster]:
    """One that no other chapter uses, for tests that may leave it in any state."""
    for made in _engine(request.param):
        yield made
        nothing_is_left(made)


def _engine(family: str) -> t.Iterator[Cluster]:
    if EXTERNAL:
        yield EXTERNAL
        return
    from sandbox import Sandbox

    with Sandbox(profile=family, max_connections=1400) as box:
        yield embedded(box)
