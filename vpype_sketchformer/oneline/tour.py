"""The shortest way through lines that lie apart, each drawn once from one end to the other.

That is the travelling salesman's problem with lines for cities. It begins with the nearest
ends (Bentley 1992, greedy), and exchanges links as long as that shortens the way: two of them
(2-opt, Croes 1958), or a few lines are moved elsewhere (Or 1976), looking at near ends only.
Through a handful of lines the shortest way is found by dynamic programming (Held & Karp 1962).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
from scipy.cluster.hierarchy import DisjointSet
from scipy.spatial import cKDTree

from vpype_sketchformer.oneline.graph import Floats, Indices

#: Ends that are looked at from each end.
NEAR = 8

#: Through so many lines at most the shortest way is found, not just a short one.
HANDFUL = 7

#: So many lines are moved together at most.
MOVED = 3

#: Stretches of the way longer than this are not turned round: that takes long, gains little.
TURNED = 2000

#: So often at most, and for each line, some of so many lines that follow each other change
#: places. Where there are more than so many in all, that helps little.
SHAKES, SHAKES_EACH, SHAKEN, FEW = 1500, 20, 50, 1000

#: A way may be longer by so much of a link, on the average and at first, to be gone on from.
HEAT = 0.1

#: What two lengths must differ by, over the extent of the lines, for one to be shorter.
SLACK = 1e-9


def tour(ends: Floats, advance: Callable[[float], None] = lambda share: None) -> Indices:
    """Find a short way through lines.

    Args:
        ends: Both ends of each line, (n, 2, 2); of a dot they are the same.
        advance: Called with the share of the work that is done.

    Returns:
        The ends in the order of the way, (2n,): end k of line i is 2 i + k. Which of two ways
        as short is found depends on the order of the lines alone.
    """
    if len(ends) < 2:
        return np.arange(2 * len(ends))
    points = ends.reshape(-1, 2)
    if len(ends) <= HANDFUL:
        return np.array(_shortest(points))
    near = _near(points)
    way = _Way(points, near, _greedy(points))
    advance(0.2)
    way.improve(range(way.nowhere), lambda share: advance(0.2 + 0.4 * share))
    way.shake(lambda share: advance(0.6 + 0.4 * share))
    return way.ends()


def _shortest(points: Floats) -> list[int]:
    """Find the shortest way; of several as short, one that the lines' order decides."""
    count = len(points) // 2
    distance = np.hypot(*(points[:, None] - points[None]).T).tolist()
    slack = SLACK * max(float(np.ptp(points, axis=0).max()), np.finfo(float).tiny)
    # The way to each end, by the lines that it has passed: its length, and the ends passed.
    ways: dict[tuple[int, int], tuple[float, tuple[int, ...]]] = {
        (1 << (end >> 1), end): (0.0, (end ^ 1, end)) for end in range(2 * count)
    }
    for _ in range(count - 1):
        longer: dict[tuple[int, int], tuple[float, tuple[int, ...]]] = {}
        for (passed, last), (length, way) in ways.items():
            for end in range(2 * count):
                line = 1 << (end >> 1)
                if passed & line:
                    continue
                key, reached = (passed | line, end ^ 1), length + distance[last][end]
                if key not in longer or reached < longer[key][0] - slack:
                    longer[key] = reached, (*way, end, end ^ 1)
        ways = longer
    best = min(ways.values(), key=lambda found: round(found[0] / slack))
    return list(best[1])


def _near(points: Floats) -> list[list[int]]:
    """List for each end those of other lines that are nearest to it, the nearest first."""
    count = min(NEAR + 2, len(points))
    _, found = cKDTree(points).query(points, k=count)
    return [
        [other for other in row if other >> 1 != end >> 1][:NEAR]
        for end, row in enumerate(found.tolist())
    ]


def _greedy(points: Floats) -> list[int]:
    """Link the nearest ends first, then those of what has become of the lines, and so on."""
    count = len(points)
    mates = [-1] * count
    lines = DisjointSet(range(count // 2))
    step = SLACK * max(float(np.ptp(points, axis=0).max()), np.finfo(float).tiny)
    while True:
        loose = np.array([end for end in range(count) if mates[end] < 0])
        if len(loose) == 2:
            break
        reach = min(NEAR + 2, len(loose))
        distance, found = cKDTree(points[loose]).query(points[loose], k=reach)
        one, other = np.repeat(loose, reach), loose[found.ravel()]
        length = np.rint(distance.ravel() / step)  # those as long in the order of the lines
        order = np.lexsort([other, one, length])
        order = order[one[order] < other[order]]
        for a, b in zip(one[order].tolist(), other[order].tolist(), strict=True):
            if mates[a] < 0 and mates[b] < 0 and lines.merge(a >> 1, b >> 1):
                mates[a], mates[b] = b, a
    way = [int(loose[0])]
    while True:
        way.append(way[-1] ^ 1)
        if mates[way[-1]] < 0:
            return way
        way.append(mates[way[-1]])


#: By how much a change shortens the way, and the ends of the links that it changes.
_Change = tuple[float, tuple[int, ...]]


class _Way:
    """A way through lines that goes round, by a line from anywhere to anywhere.

    Attributes:
        order: Ends as they are passed; those of a line follow each other.
        place: Where each end stands in the order.
        before: What stood where something was changed, for `shake` to put back.
    """

    def __init__(self, points: Floats, near: list[list[int]], order: list[int]) -> None:
        self.x, self.y = points.T.tolist()
        self.near = near
        self.nowhere = len(order)  # the first end of the line from anywhere to anywhere
        self.order = [*order, self.nowhere, self.nowhere + 1]
        self.place = [0] * len(self.order)
        for place, end in enumerate(self.order):
            self.place[end] = place
        self.before: list[tuple[int, list[int]]] = []
        self.slack = SLACK * max(float(np.ptp(points, axis=0).max()), np.finfo(float).tiny)

    def ends(self) -> Indices:
        """Return the way, from what comes after the line from anywhere to anywhere."""
        cut = max(self.place[self.nowhere], self.place[self.nowhere + 1]) + 1
        return np.array(self.order[cut:] + self.order[: cut - 2], np.intp)

    def improve(self, ends: Iterable[int], advance: Callable[[float], None]) -> float:
        """Exchange links near ends until none that is looked at shortens the way.

        Returns:
            By how much the way is shorter.
        """
        waiting = list(ends)
        first = len(waiting)
        seen, gain = 0, 0.0
        while waiting:
            again: dict[int, None] = {}
            for end in waiting:
                while changed := self._exchange(end) or self._move(end):
                    spared, touched = changed
                    gain += spared
                    again.update(dict.fromkeys(touched))
                seen += 1
                if seen % 256 == 0:
                    advance(1 - 0.5 ** (seen / first))
            waiting = [end for end in again if end < self.nowhere]
        return gain

    def shake(self, advance: Callable[[float], None]) -> None:
        """Let lines that follow each other change places, and keep that where it helps.

        What follows from a change is improved first (iterated local search, Martin, Otto &
        Felten 1991); at first a way that is a little longer is kept as well now and then: a
        shorter one may lie behind it. The shortest is what comes out.
        """
        lines = len(self.order) // 2
        generator = np.random.default_rng(0)
        shakes = min(SHAKES, SHAKES_EACH * lines) if 4 < lines <= FEW else 0
        mean = self._around(*range(0, len(self.order), 2)) / lines
        longer, least, best = 0.0, 0.0, list(self.order)
        for i in range(shakes):
            self.before.clear()
            change = self._swap(generator)
            if change < HEAT * mean * (1 - i / shakes) * generator.exponential():
                longer += change
            else:
                self._undo()
            if longer < least - self.slack:
                least, best = longer, list(self.order)
            if i % 64 == 0:
                advance(i / shakes)
        self._lay(0, best)

    def _swap(self, generator: np.random.Generator) -> float:
        """Let two runs of lines change places, and improve what follows from that.

        Returns:
            By how much the way is longer.
        """
        lines, size = len(self.order) // 2, len(self.order)
        count = min(lines - 1, SHAKEN)
        first = int(generator.integers(lines - count + 1))
        a, b, c = (2 * (first + int(k)) for k in np.sort(generator.permutation(count + 1)[:3]))
        ends = self.order[a:c]
        touched = [self.order[k % size] for k in (a - 1, a, b - 1, b, c - 1, c)]
        old = self._around(a, b, c)
        self._lay(a, ends[b - a :] + ends[: b - a])
        lost = self._around(a, a + c - b, c) - old
        near = [end for end in touched if end < self.nowhere]
        return lost - self.improve(near, lambda share: None)

    def _around(self, *places: int) -> float:
        """Return the length of the links before some places."""
        size = len(self.order)
        return sum(self._length(self.order[k - 1], self.order[k % size]) for k in places)

    def _length(self, a: int, b: int) -> float:
        if max(a, b) >= self.nowhere:
            return 0.0
        dx, dy = self.x[a] - self.x[b], self.y[a] - self.y[b]
        return (dx * dx + dy * dy) ** 0.5

    def _beyond(self, end: int) -> int:
        """Return the end that another is linked with."""
        place = self.place[end]
        return self.order[(place + (1 if place & 1 else -1)) % len(self.order)]

    def _exchange(self, a: int) -> _Change | None:
        """Exchange the link of an end and one other, if that is shorter."""
        b = self._beyond(a)
        link = self._length(a, b)
        odd = self.place[a] & 1
        for c in self.near[a]:
            new = self._length(a, c)
            if new >= link:
                break
            if self.place[c] & 1 != odd:  # what is between them would fall off
                continue
            d = self._beyond(c)
            gain = link + self._length(c, d) - new - self._length(b, d)
            if gain > self.slack and self._turn(a, b, c, d):
                return gain, (a, b, c, d)
        return None

    def _turn(self, a: int, b: int, c: int, d: int) -> bool:
        """Turn round what lies between two links, so that a meets c and b meets d."""
        if not self.place[a] & 1:
            a, b, c, d = b, a, d, c
        first, last = self.place[b], self.place[c]  # a-b ... c-d, or c-d ... a-b
        if first > last:
            first, last = self.place[d], self.place[a]
        if last - first + 1 <= len(self.order) // 2:
            return self._reverse(first, last)
        # The rest of the way, round its end, instead.
        return self._reverse(last + 1, first - 1 + len(self.order))

    def _reverse(self, first: int, last: int) -> bool:
        """Turn round the ends from one place to another, beyond the end of the order also."""
        if last - first > TURNED:
            return False
        size = len(self.order)
        head = self.order[first : last + 1]
        self._lay(first, (head + self.order[: max(0, last + 1 - size)])[::-1])
        return True

    def _lay(self, first: int, ends: list[int]) -> None:
        """Put ends at a place and those that follow it, beyond the end of the order also."""
        size = len(self.order)
        room = size - first
        old = self.order[first : first + len(ends)]
        self.before.append((first, old + self.order[: len(ends) - len(old)]))
        self.order[first : first + len(ends)] = ends[:room]
        self.order[: max(0, len(ends) - room)] = ends[room:]
        for place, end in enumerate(ends, first):
            self.place[end] = place % size

    def _undo(self) -> None:
        """Put everything back to where it was when ``before`` was empty."""
        while self.before:
            self._lay(*self.before.pop())
            self.before.pop()

    def _move(self, a: int) -> _Change | None:
        """Move a few lines from an end on to between others, if that is shorter."""
        size = len(self.order)
        start = self.place[a]
        step = -1 if start & 1 else 1  # from the end into its line
        before = self.order[(start - step) % size]
        link = self._length(before, a)
        for lines in range(1, MOVED + 1):
            if 2 * lines + 2 > size - 2:
                break
            last = start + step * (2 * lines - 1)
            if not 0 <= last < size:  # they go round the end of the order
                break
            b = self.order[last]
            after = self.order[(start + step * 2 * lines) % size]
            spared = link + self._length(b, after) - self._length(before, after)
            if spared <= self.slack:
                continue
            for c in self.near[a]:
                new = self._length(a, c)
                if new >= spared:
                    break
                if (step * (self.place[c] - start)) % size < 2 * lines:  # it is moved itself
                    continue
                d = self._beyond(c)
                if c in (before, after) and d in (a, b):
                    continue
                cost = new + self._length(b, d) - self._length(c, d)
                if spared - cost > self.slack and self._carry(a, b, c, d):
                    return spared - cost, (a, b, c, d, before, after)
        return None

    def _carry(self, a: int, b: int, c: int, d: int) -> bool:
        """Take the lines from a to b to between c and d, a beside c."""
        low, high = sorted((self.place[a], self.place[b]))
        moved = self.order[low : high + 1]
        if moved[0] != a:
            moved.reverse()  # from a to b
        if abs(self.place[c] - self.place[d]) != 1:  # the link goes round the end of the order
            return False
        target = max(self.place[c], self.place[d])  # to before this place
        if self.place[c] > self.place[d]:
            moved.reverse()  # b beside d, which comes first
        if target > high:
            first, last = low, target - 1
            stretch = [*self.order[high + 1 : target], *moved]
        else:
            first, last = target, high
            stretch = [*moved, *self.order[target:low]]
        if last - first > TURNED:
            return False
        self._lay(first, stretch)
        return True
