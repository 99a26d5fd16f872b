# SPDX-License-Identifier: MIT
"""Random histories (campaigns/clients/history) on two drivers, compared step by step, and a difference made small."""
import collections
import os
import re
import selectors
import signal
import subprocess
import tempfile

STEPS = 24
PER_BOOT = 250
SILENT_SECONDS = 120  # a job that hangs costs a driver 5 s, and a history can have several
SHRUNK = 8  # differences; the others are only counted

LINE = re.compile(r"(\d+) (\d+) (.*)")

Difference = collections.namedtuple("Difference", "seed steps ours linux")


class Histories:
    """`ours` and `linux` are the commands that run a program on each driver; `alive` collects the process groups they start."""

    def __init__(self, program, ours, linux, alive):
        self.program, self.ours, self.linux, self.alive = program, ours, linux, alive
        self.kernel_log = []

    def run(self, command, first, count, steps=None):
        """(seed, step) -> what happened. Less than asked for where the driver crashed or fell silent."""
        chosen = [",".join(map(str, steps))] if steps is not None else []
        lines = {}
        with subprocess.Popen([*command, "--", self.program, str(first), str(count), str(STEPS), *chosen], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True) as process, \
                selectors.DefaultSelector() as selector:
            self.alive.add(process.pid)
            selector.register(process.stdout, selectors.EVENT_READ)
            rest = b""
            while selector.select(SILENT_SECONDS):
                chunk = os.read(process.stdout.fileno(), 65536)
                if not chunk:
                    break
                *whole, rest = (rest + chunk).split(b"\n")
                for line in whole:
                    if match := LINE.fullmatch(line.decode(errors="replace")):
                        lines[int(match[1]), int(match[2])] = match[3]
            else:
                os.killpg(process.pid, signal.SIGKILL)
            self.alive.discard(process.pid)
        return lines

    def both(self, first, count, steps=None):
        with tempfile.NamedTemporaryFile(mode="r", errors="replace") as log:
            ours = self.run(self.ours, first, count, steps)
            linux = self.run([*self.linux, "--kernel-log", log.name], first, count, steps)
            self.kernel_log += list(log)
        return ours, linux

    @staticmethod
    def first_difference(seed, ours, linux, steps):
        """The first of the steps that ends differently, or None."""
        return next((step for step in steps if ours.get((seed, step)) != linux.get((seed, step))), None)

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
            return Difference(seed, [], "only seen once", "only seen once")
        for step in reversed(range(last)):
            fewer = [other for other in steps if other != step]
            new_ours, new_linux = self.both(seed, 1, fewer)
            if self.first_difference(seed, new_ours, new_linux, fewer) is not None:
                steps, ours, linux = fewer, new_ours, new_linux
        at = self.first_difference(seed, ours, linux, steps)
        told = [f"{step}: {ours.get((seed, step), 'nothing')}" for step in steps if step < at]
        return Difference(seed, told, f"{at}: {ours.get((seed, at), 'nothing')}", f"{at}: {linux.get((seed, at), 'nothing')}")
