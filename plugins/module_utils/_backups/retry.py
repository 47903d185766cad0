# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When another try makes sense, and when it is. No clock of its own."""

from typing import Any, Callable, List

# A change is waited for so many seconds less than there are (a tenth of them at most), so that what it did can still be told.
RESERVE = 5.0


class RetryBudget:
    """How often, and for how long in all, one thing was waited for.

    ``server`` has ``left()``, the seconds there are, and ``pause(try, limit)``, which sleeps and returns for how long.
    """

    def __init__(self, server: Any, limit: float, reserve: float) -> None:
        self._server, self._limit, self._reserve = server, limit, reserve
        self.count, self.waited = 0, 0.0
        # What was asked for and has ended without an answer that says what it did, once for each time.
        self.open_requests: List[str] = []
        # What of it is not settled yet.
        self.lost: Any = None

    def again(self) -> bool:
        """Pause before another try; False when it has been enough."""
        left = min(self._limit - self.waited, self._server.left() - 2 * self._reserve)
        if left <= 0:
            return False
        self.count += 1
        self.waited += self._server.pause(self.count, left)
        return True


def reserve(server: Any) -> float:
    """What to keep back of the time there is, in seconds."""
    return min(RESERVE, server.left() / 10)


def backoff(attempt: int, uniform: Callable[[float, float], float], base: float = 0.5, ceiling: float = 15.0) -> float:
    """Seconds to wait after try number ``attempt``: exponential, with jitter so that nobody waits in step with others."""
    return uniform(0.1, 1.0) * min(ceiling, base * 2 ** min(attempt, 10))
