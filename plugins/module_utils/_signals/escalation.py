# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Cancel, terminate, verify, escalate; what became of each victim. Private to the collection.

What the engine's functions return is never taken as the outcome: true means that a signal was sent, and some
return nothing. The outcome is what a look shows afterwards.
"""

from __future__ import annotations

import contextlib
import dataclasses
import time
import typing as t

from ansible_collections.gpops.toolkit.plugins.module_utils._core.errors import (
    ConnectError,
    ConnectionLost,
    DeadlineExceeded,
    GpopsError,
    GroupFull,
    StatementError,
)
from ansible_collections.gpops.toolkit.plugins.module_utils._core.interruption import Interrupted
from ansible_collections.gpops.toolkit.plugins.module_utils._sessions.backend import RUNNING_STATES, Backend
from ansible_collections.gpops.toolkit.plugins.module_utils._signals.verdicts import (
    ALIVE,
    CANCELLED,
    CHANGED,
    GONE,
    REFUSED,
    TERMINATED,
    UNKNOWN,
)

_FIRST_PAUSE = 0.002
_LONGEST_PAUSE = 0.5
_SIGNALLED = {True: "signalled", False: "not signalled", None: "whether it was signalled is unknown"}
_UNSEEN = (
    "a process with this pid is there, and this role may not see any more whether it is the same one; look again as a "
    "role that may"
)
# Classes of errors by which a statement or a function refuses what it was asked for.
_BEFORE_THE_SIGNAL = ("0A", "0L", "22", "28", "42", "P0")
_LOST = (ConnectionLost, DeadlineExceeded, ConnectError)


class Sender(t.Protocol):
    """What this needs of a server; see SignalSender."""

    def look(self, pids: t.Iterable[int]) -> dict[int, Backend]:
        """These processes as they are now."""

    def signal(self, victims: t.Sequence[Backend], state: str) -> dict[int, t.Any]:
        """Signal those that are still the same."""

    def renew(self) -> None:
        """A new connection in place of this one."""


@dataclasses.dataclass(frozen=True)
class SignalPlan:
    """How to end sessions or statements.

    Attributes:
        state: cancelled or terminated.
        cancel_first: Cancel the running statements, then terminate who is left.
        grace_period: Seconds between the two, at the most.
        wait: Look until each victim is gone.
        wait_timeout: Seconds to look, at the most.
    """

    state: str
    cancel_first: bool = False
    grace_period: float = 10.0
    wait: bool = True
    wait_timeout: float = 30.0

    @property
    def longest_wait(self) -> float:
        """Seconds that it may take to see what became of all, on top of the statements themselves."""
        return (self.grace_period if self.cancel_first else 0.0) + (self.wait_timeout if self.wait else 0.0)


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of one victim.

    Attributes:
        outcome: As gpops.toolkit.gp_backend names it.
        signalled: Whether a signal was sent, None if that is unknown.
    """

    outcome: str
    reason: str
    signalled: bool | None
    sqlstate: str | None = None


@dataclasses.dataclass(frozen=True)
class Clock:
    """Time, for tests to inject."""

    now: t.Callable[[], float] = time.monotonic
    sleep: t.Callable[[float], None] = time.sleep


def signal_all(
    sender: Sender, victims: t.Sequence[Backend], plan: SignalPlan, clock: Clock | None = None
) -> dict[int, Outcome]:
    """Signal the victims as planned and tell what became of each, by pid.

    Raises:
        GroupFull: Nothing could be sent, the role's own group is full.
    """
    return _Run(sender, plan, clock or Clock()).end(victims)


class _Run:
    """One run; keeps what is known of each victim so far."""

    def __init__(self, sender: Sender, plan: SignalPlan, clock: Clock) -> None:
        self._sender = sender
        self._plan = plan
        self._clock = clock
        self._endings: dict[int, Outcome] = {}
        # Who was signalled in this run, or, with none, may have been.
        self._sent: dict[int, bool | None] = {}

    def end(self, victims: t.Sequence[Backend]) -> dict[int, Outcome]:
        """The ending of each victim."""
        running = [victim for victim in victims if victim.state in RUNNING_STATES]
        if self._plan.cancel_first and self._plan.state == TERMINATED and running:
            sent = self._send(running, CANCELLED)
            if sent:
                self._wait(sent, CANCELLED, self._plan.grace_period)
            # Only a lost connection ends it here: a cancel that failed or was refused is followed by the other signal.
            self._endings = {pid: e for pid, e in self._endings.items() if e.outcome == UNKNOWN}
        left = [victim for victim in victims if victim.pid not in self._endings]
        sent = self._send(left, self._plan.state) if left else []
        if sent:
            still = self._wait(sent, self._plan.state, self._plan.wait_timeout if self._plan.wait else 0.0)
            for victim, now in still:
                if _is_hidden(now):
                    self._endings[victim.pid] = Outcome(UNKNOWN, f"signalled; {_UNSEEN}", signalled=True)
                else:
                    reason = f"signalled, and still there {self._waited()}"
                    self._endings[victim.pid] = Outcome(ALIVE, reason, signalled=True)
        return self._endings

    def _waited(self) -> str:
        return f"after {self._plan.wait_timeout:g} s" if self._plan.wait else "at once; wait was off"

    def _send(self, victims: t.Sequence[Backend], state: str) -> list[Backend]:
        """Signal; the victims that a signal went to. The others have their ending."""
        try:
            returned = self._sender.signal(victims, state)
        except GroupFull as error:
            if not self._sent:
                raise
            for victim in victims:
                self._endings[victim.pid] = Outcome(REFUSED, error.message, self._was(victim), error.sqlstate)
            return []
        except _LOST as error:
            if error.was_sent:
                self._may_have_hit(victims)
            self._after_loss(victims, state, error)
            return []
        except StatementError as error:
            if len(victims) > 1:
                # One that may not be signalled ends the statement, after others were: one by one then.
                self._may_have_hit(victims)
                return [sent for victim in victims for sent in self._send([victim], state)]
            self._endings[victims[0].pid] = self._after_refusal(victims[0], state, error)
            return []
        sent = [victim for victim in victims if victim.pid in returned and returned[victim.pid] is not False]
        self._sent.update({victim.pid: True for victim in sent})
        self._explain([victim for victim in victims if victim not in sent], returned, state)
        return sent

    def _after_refusal(self, victim: Backend, state: str, error: StatementError) -> Outcome:
        """What became of one whose statement failed: most errors come before the signal, some may come after it."""
        if (error.sqlstate or "")[:2] not in _BEFORE_THE_SIGNAL:
            self._may_have_hit([victim])
            with contextlib.suppress(GpopsError):
                if _done(victim, self._sender.look([victim.pid]).get(victim.pid), state):
                    reason = f"{_SIGNALLED[None]}: {error.message}; a look shows that it ended"
                    return Outcome(state, reason, self._was(victim), error.sqlstate)
        return Outcome(REFUSED, error.message, self._was(victim), error.sqlstate)

    def _was(self, victim: Backend) -> bool | None:
        """Whether it was signalled in this run, None if that is unknown."""
        return self._sent.get(victim.pid, False)

    def _may_have_hit(self, victims: t.Sequence[Backend]) -> None:
        for victim in victims:
            self._sent.setdefault(victim.pid, None)

    def _explain(self, unsent: t.Sequence[Backend], returned: t.Mapping[int, t.Any], state: str) -> None:
        """The endings of those that got no signal."""
        if not unsent:
            return
        try:
            now = self._sender.look([victim.pid for victim in unsent])
        except (*_LOST, StatementError) as error:
            for victim in unsent:
                self._endings[victim.pid] = Outcome(UNKNOWN, f"not signalled; then {error.message}", self._was(victim))
            return
        for victim in unsent:
            self._endings[victim.pid] = self._why_unsent(victim, now.get(victim.pid), returned, state)

    def _why_unsent(self, victim: Backend, now: Backend | None, returned: t.Mapping[int, t.Any], state: str) -> Outcome:
        was = self._was(victim)
        if was is not False and _done(victim, now, state):
            return Outcome(state, "it ended after an earlier signal of this run", was)
        if now is None:
            return Outcome(GONE, "it ended before the signal", was)
        if _is_hidden(now):
            return Outcome(UNKNOWN, f"{_SIGNALLED[was]}; {_UNSEEN}", was)
        if not _same_process(victim, now):
            return Outcome(CHANGED, "another session has this pid now", was)
        if now.sess_id != victim.sess_id:
            return Outcome(CHANGED, "the engine has reset the session, which has a new number now", was)
        if returned.get(victim.pid) is False:
            return Outcome(REFUSED, "the engine did not send the signal and says no more", was)
        if state == TERMINATED or not _done(victim, now, state):
            return Outcome(UNKNOWN, f"{_SIGNALLED[was]}: for the statement that signals, it was not in the list", was)
        return Outcome(CHANGED, "the session is at another statement now, or at none", was)

    def _wait(self, victims: t.Sequence[Backend], state: str, seconds: float) -> list[tuple[Backend, Backend]]:
        """Look until all are done; those that are not by then, with what was seen of them last."""
        end = self._clock.now() + seconds
        pause = _FIRST_PAUSE
        left = list(victims)
        while True:
            now = self._look_or_renew([victim.pid for victim in left])
            if isinstance(now, GpopsError):
                if self._clock.now() >= end or isinstance(now, Interrupted):
                    self._after_loss(left, state, now)
                    return []
                self._clock.sleep(pause)
                pause = min(pause * 1.6, _LONGEST_PAUSE)
                continue
            for victim in left:
                if _done(victim, now.get(victim.pid), state):
                    self._endings[victim.pid] = Outcome(state, _words(state), signalled=True)
            left = [victim for victim in left if victim.pid not in self._endings]
            rest = end - self._clock.now()
            if not left or rest <= 0:
                return [(victim, now[victim.pid]) for victim in left]
            self._clock.sleep(min(pause, rest))
            pause = min(pause * 1.6, _LONGEST_PAUSE)

    def _look_or_renew(self, pids: t.Sequence[int]) -> dict[int, Backend] | GpopsError:
        """A look; or why there was none, with a new connection for the next one if there is a free one."""
        try:
            return self._sender.look(pids)
        except (*_LOST, StatementError) as error:
            with contextlib.suppress(GpopsError):
                self._sender.renew()
            return error

    def _after_loss(self, victims: t.Sequence[Backend], state: str, error: GpopsError) -> None:
        """One attempt to look again from a new connection, to say as much as can be known."""
        try:
            self._sender.renew()
            now: dict[int, Backend] | None = self._sender.look([victim.pid for victim in victims])
        except GpopsError:
            now = None
        for victim in victims:
            was = self._was(victim)
            said = f"{_SIGNALLED[was]}: {error.message}"
            if isinstance(error, Interrupted):
                ending = Outcome(UNKNOWN, said, was)
            elif now is None:
                ending = Outcome(UNKNOWN, f"{said}; could not reconnect to look again", was)
            elif _done(victim, now.get(victim.pid), state):
                ending = Outcome(state, f"{said}; a new connection shows that it ended", was)
            elif _is_hidden(now[victim.pid]):
                ending = Outcome(UNKNOWN, f"{said}; {_UNSEEN}", was)
            else:
                outcome = ALIVE if was else UNKNOWN
                ending = Outcome(outcome, f"{said}; a new connection shows it still there", was)
            self._endings[victim.pid] = ending


def _same_process(victim: Backend, now: Backend | None) -> bool:
    # Not by sess_id: after a failure on a segment the engine gives a session that lives on a new one.
    return now is not None and now.backend_start == victim.backend_start


def _is_hidden(now: Backend) -> bool:
    """Whether a process has this pid, and which one this role may not see (any more)."""
    return now.backend_start is None


def _done(victim: Backend, now: Backend | None, state: str) -> bool:
    """Whether what was to end has ended."""
    if now is None:
        return True
    if _is_hidden(now):
        return False
    if not _same_process(victim, now):
        return True
    return state == CANCELLED and (now.query_start != victim.query_start or now.state not in RUNNING_STATES)


def _words(state: str) -> str:
    return "its statement ended" if state == CANCELLED else "its session ended"
