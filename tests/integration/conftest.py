# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fixtures: the clusters under test, and a module run as Ansible runs it."""

from __future__ import annotations

import contextlib
import os
import resource
import time
import typing as t

import pytest
from integration.cluster import EMBEDDED, MANAGED, Cluster, Scene, embedded, from_environment, left_behind
from integration.run_module import WAYS, set_way

# A thousand sessions are a thousand sockets, more than an ordinary user's soft limit.
_HARD_LIMIT = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (_HARD_LIMIT, _HARD_LIMIT))

GONE_SECONDS = 1.0
EXTERNAL = from_environment()
FAMILIES = [EXTERNAL.family or "cluster"] if EXTERNAL else EMBEDDED


@pytest.hookimpl(tryfirst=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """What runs modules one by one runs in both ways; what is about privileges, on the managed engine too."""
    if hasattr(metafunc.module, "run_module"):
        metafunc.parametrize("way", WAYS, indirect=True)
    if metafunc.definition.get_closest_marker("managed") and not EXTERNAL:
        name, scope = ("special", "function") if "special" in metafunc.fixturenames else ("cluster", "session")
        # As a mark, for only that takes the place of the fixture's own parameters.
        mark = pytest.mark.parametrize(name, [*FAMILIES, MANAGED], indirect=True, scope=t.cast("t.Any", scope))
        metafunc.definition.add_marker(mark)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """In a process of its own a module is run on one embedded engine; make integration-all does so on each."""
    if EXTERNAL or os.environ.get("GPOPS_TEST_WAYS") == "all":
        return
    left_out = {item for item in items if isinstance(item, pytest.Function) and _is_for_the_night(item)}
    config.hook.pytest_deselected(items=list(left_out))
    items[:] = [item for item in items if item not in left_out]


def _is_for_the_night(item: pytest.Function) -> bool:
    chosen = item.callspec.params if hasattr(item, "callspec") else {}
    engines = {chosen.get(name, FAMILIES[0]) for name in ("cluster", "special")}
    return chosen.get("way") == "module" and engines != {FAMILIES[0]}


@pytest.fixture(autouse=True)
def way(request: pytest.FixtureRequest) -> str:
    """How modules run in this test."""
    chosen: str = getattr(request, "param", WAYS[0])
    set_way(chosen)
    return chosen


@pytest.fixture(scope="session", params=FAMILIES)
def cluster(request: pytest.FixtureRequest) -> t.Iterator[Cluster]:
    """Each engine in turn: the one of the environment, or an embedded one of each family."""
    if EXTERNAL:
        yield EXTERNAL
        return
    from sandbox import Sandbox

    with Sandbox(profile=request.param, max_connections=1100) as box:
        yield embedded(box)


@pytest.fixture(autouse=True)
def good_guest(request: pytest.FixtureRequest) -> t.Iterator[None]:
    """One second after a test no process of its modules is left on the server."""
    clusters = [request.getfixturevalue("cluster")] if "cluster" in request.fixturenames else []
    yield
    for cluster in clusters:
        nothing_is_left(cluster)


def nothing_is_left(cluster: Cluster) -> None:
    """Fail if a process of the collection is still there after a second."""
    end = time.monotonic() + GONE_SECONDS
    left = {(each.segment, each.pid): each for each in left_behind(cluster)}
    while left and time.monotonic() < end:
        time.sleep(0.05)
        # What only now comes to its end is of others, who may use a real cluster at the same time.
        still = {(each.segment, each.pid) for each in left_behind(cluster)}
        left = {process: each for process, each in left.items() if process in still}
    assert not left


@pytest.fixture
def scene(cluster: Cluster) -> t.Iterator[Scene]:
    """Sessions and objects of one test."""
    with Scene(cluster) as built:
        yield built
        # While a group is still as full as the test made it: there a session may wait with its end, too.
        nothing_is_left(cluster)


@pytest.fixture(params=EMBEDDED)
def special(request: pytest.FixtureRequest) -> t.Iterator[t.Callable[..., Cluster]]:
    """An embedded engine of each family that is started with other settings than usual."""
    if EXTERNAL:
        pytest.skip("needs an engine with other settings; it runs on embedded engines only")
    from sandbox import Sandbox

    with contextlib.ExitStack() as stack:

        def start(**options: t.Any) -> Cluster:
            made = embedded(stack.enter_context(Sandbox(profile=request.param, **options)))
            stack.callback(nothing_is_left, made)
            return made

        yield start
