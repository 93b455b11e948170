# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The connection breaks after each message of each module's conversation, in each way that it can."""

from __future__ import annotations

import collections
import concurrent.futures
import dataclasses
import time
import typing as t

import pytest
from integration.cluster import Cluster, Scene, eventually
from integration.run_module import Outcome
from torture import figures, forge
from torture.conversations import CONVERSATIONS, Bystanders, Conversation, fresh_tag
from torture.fault import DEAF, DELAY, GONE, HOWS, RST, Fault, Relay
from torture.scale import scaled

MARGIN = 2.0
# Most of the runs wait; more than this, and they wait for a processor.
AT_ONCE = 12
# Of the short form: each so manieth message, and a way by turns.
STRIDE = scaled(11, 1)


@dataclasses.dataclass(frozen=True)
class Cut:
    """One disturbed run: what the server and the module said."""

    fault: Fault | None
    seconds: float
    messages: list[str]
    struck: bool
    failed: bool
    noted: dict[str, int]


def disturbed(cluster: Cluster, conversation: Conversation, fault: Fault | None) -> Cut:
    """One run through the relay, and the judgement on it."""
    tag = fresh_tag()
    role = getattr(cluster, conversation.role)
    with Scene(cluster) as scene:
        stage = conversation.stage(scene, tag)
        options = {**cluster.login(role), "connect_params": {"application_name": f"{tag}_module"}, **stage.options()}

        def run(through: Relay | None) -> forge.Run:
            undisturbed = {**options, "timeout": 30}
            done = forge.run(conversation.module, through.login(options) if through else undisturbed)
            assert not done.crashed, f"{fault}: {done.output}"
            return done

        with Relay(cluster.host, cluster.port, fault) as relay:
            done = run(relay)
            messages, struck = list(relay.messages), relay.struck
        # What the server still does for the module, it does before it notices that nobody is there.
        eventually(lambda: not left_over(scene, tag), f"the module's sessions end after {fault}")
        assert done.seconds < conversation.seconds + MARGIN, f"{fault}: took {done.seconds:.2f} s"
        if done.outcome.failed:
            check_words(done.outcome)
        elif fault and fault.how != DELAY:
            assert "Traceback" not in done.output
        try:
            noted = stage.judge(done.outcome, lambda: run(None).outcome)
        except AssertionError as error:
            raise AssertionError(f"{conversation.name}, {fault}, {messages[-3:]}: {error}") from None
    return Cut(fault, done.seconds, messages, struck, done.outcome.failed, noted)


def left_over(scene: Scene, tag: str) -> bool:
    return bool(scene.sql("SELECT 1 FROM pg_catalog.pg_stat_activity WHERE application_name = %s", (f"{tag}_module",)))


def check_words(said: Outcome) -> None:
    """One error, in plain words."""
    assert said["msg"], said
    assert "Traceback" not in said["msg"]
    assert said.get("exception") is None


def cuts(messages: list[str]) -> list[Fault]:
    """All cuts; or each so manieth with the ways by turns, and those that leave a statement without its answer."""
    points = range(1, len(messages) + 1)
    if STRIDE == 1:
        return [Fault(after, how) for how in HOWS for after in points]
    unanswered = [after for after in points if messages[after - 1] == "CQ"]
    by_turns = [Fault(after, HOWS[(after // STRIDE) % len(HOWS)]) for after in points if after % STRIDE == 0]
    return by_turns + [Fault(after, how) for after in unanswered for how in (RST, DEAF)]


@pytest.mark.parametrize("conversation", CONVERSATIONS, ids=lambda conversation: conversation.name)
def test_every_cut_is_survived(cluster: Cluster, scene: Scene, conversation: Conversation) -> None:
    before = time.monotonic()
    normal = disturbed(cluster, conversation, None)
    assert not normal.failed
    bystanders = Bystanders(cluster, scene)
    faults = cuts(normal.messages)
    # A real engine changes roles and groups one after the other, and takes 300 ms for a look at the groups.
    alone = conversation.module in ("gp_resource_group", "gp_admission") and not cluster.embedded
    with concurrent.futures.ThreadPoolExecutor(1 if alone else AT_ONCE) as pool:
        jobs = [pool.submit(disturbed, cluster, conversation, fault) for fault in faults]
        done, problems = outcomes(jobs)
    bystanders.check()
    assert not problems, f"{len(problems)} of {len(faults)}:\n" + "\n".join(problems[:5])
    struck = [cut for cut in done if cut.struck]
    # A run may be some messages shorter than the first one: what waits, looks as often as it must.
    assert len(struck) > 0.8 * len(faults)
    assert all(not cut.failed for cut in done if cut.fault and cut.fault.how == DELAY)
    assert any(cut.failed for cut in struck)
    keep(cluster, conversation, len(normal.messages), struck, time.monotonic() - before)


def test_a_plan_that_loses_the_server_for_good_says_how_far_it_came(cluster: Cluster) -> None:
    planning = next(found for found in CONVERSATIONS if found.module == "gp_resource_group")
    whole = len(disturbed(cluster, planning, None).messages)
    for back in (14, 18, 22):
        cut = disturbed(cluster, planning, Fault(whole - back, GONE))
        assert cut.struck
        assert cut.failed


def outcomes(jobs: t.Iterable[concurrent.futures.Future[Cut]]) -> tuple[list[Cut], list[str]]:
    done, problems = [], []
    for job in jobs:
        try:
            done.append(job.result())
        except AssertionError as problem:
            problems.append(str(problem))
    return done, problems


def keep(cluster: Cluster, conversation: Conversation, messages: int, struck: list[Cut], seconds: float) -> None:
    noted: collections.Counter[str] = collections.Counter()
    for cut in struck:
        noted.update(cut.noted)
    over = max(cut.seconds - conversation.seconds for cut in struck)
    figures.record(
        "cuts",
        cluster.family,
        {
            conversation.name: {
                "messages": messages,
                "cuts": len(struck),
                "failed": sum(cut.failed for cut in struck),
                "latest end after timeout and waits, s": round(over, 2),
                "took, s": round(seconds),
                **noted,
            }
        },
    )
