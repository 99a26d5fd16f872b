# SPDX-License-Identifier: MIT
"""Random histories (campaigns/clients/history) on two drivers, compared step by step, and a difference made small."""
import collections
import re
import tempfile

import program

STEPS = 24
PER_BOOT = 250
SILENT_SECONDS = 120  # a job that hangs costs a driver 5 s, and a history can have several
SHRUNK = 8  # differences; the others are only counted

LINE = re.compile(r"(\d+) (\d+) (.*)")

Difference = collections.namedtuple("Difference", "steps ours linux")


class Histories:
    """`ours` and `linux` are the commands that run a program, which is `client`, on each driver."""

    def __init__(self, client, ours, linux):
        self.client, self.ours, self.linux = client, ours, linux
        self.kernel_log = []

    def run(self, command, first, count, steps=None):
        """(seed, step) -> what happened. Less than asked for where the driver crashed or fell silent."""
        chosen = [",".join(map(str, steps))] if steps is not None else []
        lines = {}

        def take(line):
            if match := LINE.fullmatch(line):
                lines[int(match[1]), int(match[2])] = match[3]

        program.run([*command, "--", self.client, str(first), str(count), str(STEPS), *chosen], SILENT_SECONDS, take)
        return lines

    def both(self, first, count, steps=None):
        with tempfile.NamedTemporaryFile(mode="r", errors="replace") as log:
            ours = self.run(self.ours, first, count, steps)
            linux = self.run([*self.linux, "--kernel-log", log.name], first, count, steps)
            self.kernel_log += list(log)
        return ours, linux

    @staticmethod
    def first_difference(seed, ours, linux, steps):
        """The first of the steps that ends differently, or on neither side, or None."""
        return next((step for step in steps
                     if (seed, step) not in ours or ours[seed, step] != linux.get((seed, step))), None)

    def compare(self, first, count):
        """One boot's worth: how many seeds were compared, and which differ (step by seed)."""
        ours, linux = self.both(first, count)
        different = {}
        for seed in range(first, first + count):
            step = self.first_difference(seed, ours, linux, range(STEPS))
            if step is not None:
                different[seed] = step
            if (seed, STEPS - 1) not in linux or (seed, STEPS - 1) not in ours:
                return seed + 1 - first, different  # what follows did not run
        return count, different

    def shrink(self, seed, last):
        """Leaves out every step that the difference does not need."""
        steps = list(range(last + 1))
        ours, linux = self.both(seed, 1, steps)
        if self.first_difference(seed, ours, linux, steps) is None:
            return Difference([], "only seen once", "only seen once")
        for step in reversed(range(last)):
            fewer = [other for other in steps if other != step]
            new_ours, new_linux = self.both(seed, 1, fewer)
            if self.first_difference(seed, new_ours, new_linux, fewer) is not None:
                steps, ours, linux = fewer, new_ours, new_linux
        at = self.first_difference(seed, ours, linux, steps)
        told = [f"{step}: {ours.get((seed, step), 'nothing')}" for step in steps if step < at]
        return Difference(told, f"{at}: {ours.get((seed, at), 'nothing')}", f"{at}: {linux.get((seed, at), 'nothing')}")
