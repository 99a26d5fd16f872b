# SPDX-License-Identifier: MIT
"""A program under its host, with everything that it starts."""
import os
import selectors
import signal
import subprocess

alive = set()  # process groups to take along when the campaign is told to end


def boots(folder, checks=()):
    """Whether the referee's kernel boots; builds it where need be, which takes minutes."""
    command = [folder / "pantry", "kernel", *checks, "--kernel-log", "/dev/null", "--", "/bin/true"]
    return subprocess.run(command).returncode == 0


def run(command, silent_seconds, take, stderr=subprocess.DEVNULL):
    """Gives `take` each line of output (with `stderr` STDOUT: also of that). True: it ended by itself. False: it was silent for so long, and has been killed."""
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=stderr,
                          start_new_session=True) as process, selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        alive.add(process.pid)
        try:
            rest = b""
            while selector.select(silent_seconds):
                chunk = os.read(process.stdout.fileno(), 65536)
                if not chunk:
                    return True
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    take(line.decode(errors="replace"))
            os.killpg(process.pid, signal.SIGKILL)  # a guest kernel goes with its host
            return False
        finally:
            alive.discard(process.pid)
