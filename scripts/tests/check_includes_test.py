# SPDX-License-Identifier: MIT
"""Seeds violations into a small tree, one at a time, and sees each caught by scripts/check-includes."""
import pathlib
import subprocess
import tempfile
import unittest

SCRIPT = pathlib.Path(__file__).resolve().parent.parent / "check-includes"

# A tree with nothing wrong in it, which uses everything that is allowed.
CLEAN = {
    "rooms.txt": """# a comment
base:
gpu_emu/datasheet: base
gpu_emu/mmu: base gpu_emu/datasheet gpu_emu/ports.h
gpu_emu: base gpu_emu/datasheet gpu_emu/mmu
driver/mmu: base gpu_emu/datasheet gpu_emu/ports.h  # may see the ports
driver/vm: base driver/mmu
uapi: base driver/vm
igt_tests/harness:
igt_tests: igt_tests/harness
igt_tests/vulkan: igt_tests/harness
""",
    "base/types.h": "#pragma once\n#include <cstdint>\n",
    "gpu_emu/ports.h": '#include "base/types.h"\n',
    "gpu_emu/gpu.h": '#include "gpu_emu/mmu/walker.h"\n',
    "gpu_emu/datasheet/pte.h": '#include "base/types.h"\n',
    "gpu_emu/mmu/walker.h": '#include "gpu_emu/datasheet/pte.h"\n#include "gpu_emu/ports.h"\n',
    "driver/mmu/slots.h": '#include "gpu_emu/datasheet/pte.h"\n#include "gpu_emu/ports.h"\n',
    "driver/vm/vm.h": '#include "driver/mmu/slots.h"\n',
    "driver/vm/vm.cc": '#include "driver/vm/vm.h"\n#include <vector>\n',
    "driver/vm/vm_test.cc": '#include "driver/vm/vm.h"\n#include <gtest/gtest.h>\n',
    "driver/vm/sources.txt": "# files\nvm.cc\nvm_test.cc\n",
    "uapi/session.h": '#include "driver/vm/vm.h"\n#include <drm/panthor_drm.h>\n',
    "igt_tests/harness/igt.h": "#include <xf86drm.h>\n",
    "igt_tests/vm.cc": '#include "igt_tests/harness/igt.h"\n#include <drm/panthor_drm.h>\n',
    "igt_tests/sources.txt": "vm.cc\n",
    "igt_tests/vulkan/queue.h": "#include <vulkan/vulkan.h>\n",
    "build/release/generated.h": '#include "nowhere/to/be/seen.h"\n',
}

# What is added to which file (or which file is new), and what the script must then say, in this one line and no other.
SEEDS = [
    ("driver/mmu/slots.h", '#include "gpu_emu/mmu/walker.h"', "driver/mmu/slots.h:3: driver/ may see of gpu_emu/"),
    ("driver/mmu/slots.h", '#  include "gpu_emu/gpu.h"', "driver/mmu/slots.h:3: driver/ may see of gpu_emu/"),
    ("driver/mmu/slots.h", "#include <gpu_emu/gpu.h>", "driver/mmu/slots.h:3: driver/ may see of gpu_emu/"),
    ("driver/vm/vm_test.cc", '#include "gpu_emu/mmu/walker.h"', "driver/vm/vm_test.cc:3: driver/ may see of gpu_emu/"),
    ("driver/mmu/slots.h", '#include "driver/vm/vm.h"', "driver/mmu/slots.h:3: driver/mmu may not see driver/vm/vm.h"),
    ("driver/vm/vm.h", '#include "gpu_emu/ports.h"', "driver/vm/vm.h:2: driver/vm may not see gpu_emu/ports.h"),
    ("driver/vm/vm.cc", '#include "uapi/session.h"', "driver/vm/vm.cc:3: driver/vm may not see uapi/session.h"),
    ("driver/vm/vm.cc", "#include <drm/panthor_drm.h>", "driver/vm/vm.cc:3: driver/vm may not see the uAPI"),
    ("driver/vm/vm.cc", '#include "vm.h"', 'driver/vm/vm.cc:3: no file "vm.h"'),
    ("base/types.h", '#include "driver/vm/vm.h"', "base/types.h:3: base may not see driver/vm/vm.h"),
    ("gpu_emu/mmu/walker.h", '#include "driver/vm/vm.h"', "gpu_emu/mmu/walker.h:3: gpu_emu/mmu may not see driver/vm"),
    ("gpu_emu/mmu/walker.h", '#include "gpu_emu/gpu.h"', "gpu_emu/mmu/walker.h:3: gpu_emu/mmu may not see gpu_emu/gpu"),
    ("igt_tests/vm.cc", '#include "base/types.h"', "igt_tests/vm.cc:3: igt_tests may not see base/types.h"),
    ("igt_tests/vm.cc", '#include "uapi/session.h"', "igt_tests/vm.cc:3: igt_tests may not see uapi/session.h"),
    ("igt_tests/vm.cc", "#include <fmt/core.h>", "igt_tests/vm.cc:3: a client may not see fmt/core.h"),
    ("igt_tests/vm.cc", "#include <vulkan/vulkan.h>", "igt_tests/vm.cc:3: a client may not see vulkan/vulkan.h"),
    ("igt_tests/vulkan/queue.h", "#include <fmt/core.h>", "igt_tests/vulkan/queue.h:2: a client may not see fmt/core.h"),
    ("igt_tests/vm.cc", "#include <gtest/gtest.h>", "igt_tests/vm.cc:3: a client may not see gtest/gtest.h"),
    ("rooms.txt", "driver/new: gpu_emu/datasheet uapi", "rooms.txt: driver/new uses uapi, which is on a higher floor"),
    ("rooms.txt", "uapi/a: uapi/b\nuapi/b:", "rooms.txt: uapi/a uses uapi/b, which does not stand above it"),
    ("driver/stray.h", "", "driver/stray.h: in no room"),
    ("driver/vm/unlisted.cc", "", "driver/vm/unlisted.cc: not in driver/vm/sources.txt"),
    ("driver/vm/sources.txt", "gone.cc", "driver/vm/sources.txt: names driver/vm/gone.cc, which is not there"),
]


def run_on(tree):
    with tempfile.TemporaryDirectory() as folder:
        for name, text in tree.items():
            path = pathlib.Path(folder) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        done = subprocess.run([SCRIPT, folder], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout.splitlines()


class CheckIncludes(unittest.TestCase):
    def test_clean_tree_passes(self):
        self.assertEqual(run_on(CLEAN), (0, ["check-includes: 0 violations"]))

    def test_each_violation_is_caught(self):
        for name, added, expected in SEEDS:
            with self.subTest(file=name, added=added):
                status, lines = run_on({**CLEAN, name: CLEAN.get(name, "") + added + "\n"})
                self.assertEqual(status, 1)
                self.assertEqual(len(lines), 2, lines)
                self.assertIn(expected, lines[0])

    def test_rooms_txt_cannot_open_the_emulator_to_the_driver(self):
        rooms = CLEAN["rooms.txt"].replace("driver/vm: base driver/mmu", "driver/vm: base driver/mmu gpu_emu")
        vm = CLEAN["driver/vm/vm.h"] + '#include "gpu_emu/gpu.h"\n'
        status, lines = run_on({**CLEAN, "rooms.txt": rooms, "driver/vm/vm.h": vm})
        self.assertEqual(status, 1)
        self.assertIn("driver/vm/vm.h:2: driver/ may see of gpu_emu/", lines[0])


if __name__ == "__main__":
    unittest.main()
