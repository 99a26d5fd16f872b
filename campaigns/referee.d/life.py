# SPDX-License-Identifier: MIT
"""life.py PROGRAM STORM KILLS: inside a guest, what a driver lives through besides its tests.

Kills STORM (campaigns/clients/bind_storm_main.cc) at a random moment of its life, KILLS times, then waits until the idle
device is suspended, and runs PROGRAM on it, which resumes it. Prints a line of figures; exits 1 when a storm found something
before it was killed, or the device did not suspend or resume. What becomes of the memory of buffers is told and not judged: Linux 6.12
does not always give it back.
"""
import os
import pathlib
import random
import subprocess
import sys
import time

POWER = pathlib.Path("/sys/devices/platform/pantry-gpu/power")
LONGEST_LIFE = 1.0  # seconds
SUSPENDS_WITHIN = 10.0
COMES_BACK_WITHIN = 3.0


def shmem_kib():
    """What the buffers of all clients take: the kernel keeps them in shared memory."""
    for line in pathlib.Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("Shmem:"):
            return int(line.split()[1])
    sys.exit("no Shmem in /proc/meminfo")


def wait_until(condition, seconds):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def is_suspended():
    return (POWER / "runtime_status").read_text().strip() == "suspended"


def main():
    program, storm, kills = sys.argv[1], sys.argv[2], int(sys.argv[3])
    dice = random.Random(kills)
    before = shmem_kib()
    for number in range(kills):
        client = subprocess.Popen([storm], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                  env={**os.environ, "PANTRY_STORM_SEED": str(number)})
        time.sleep(dice.uniform(0, LONGEST_LIFE))
        ended = client.poll()
        client.kill()
        output = client.communicate()[0]
        if ended is not None:
            sys.exit(f"storm {number} ended by itself with {ended}: {output[-500:]}")
    wait_until(lambda: shmem_kib() <= before, COMES_BACK_WITHIN)
    suspended = wait_until(is_suspended, SUSPENDS_WITHIN)
    slept = int((POWER / "runtime_suspended_time").read_text())
    resumed = subprocess.run([program], stdout=subprocess.DEVNULL).returncode == 0
    print(f"{kills} storms killed, {shmem_kib() - before} KiB left behind, "
          f"suspended for {slept} ms in all, {'resumed' if resumed else 'not resumed'}")
    return 0 if suspended and slept > 0 and resumed else 1


if __name__ == "__main__":
    sys.exit(main())
