# SPDX-License-Identifier: MIT
"""Seeds allocations into a small run path, one at a time, and sees each found by scripts/check-run-path."""
import pathlib
import subprocess
import tempfile
import unittest

SCRIPT = pathlib.Path(__file__).resolve().parent.parent / "check-run-path"
ROOT = "room::run("

# Two files: what runs, and what it calls. STEP is where a violation goes.
RUN = """
#include <cstdlib>
#include <memory>
namespace room {
struct Step { virtual void go() = 0; virtual ~Step() = default; };
struct First final : Step { void go() override; };
void callee(int* numbers);
[[gnu::noipa]] void visit(Step& step) { step.go(); }
[[gnu::noinline]] static void inner(int* numbers) { callee(numbers); }
void run(int* numbers) { First step; visit(step); inner(numbers); }
// The other half of the room may allocate.
int* prepare() { return new int[100]; }
}
"""
CALLED = """
#include <cstdlib>
#include <string>
#include <vector>
namespace room {
struct Step { virtual void go() = 0; virtual ~Step() = default; };
struct First final : Step { void go() override; };
void sink(void*);
void First::go() { STEP_OF_A_VIRTUAL_FUNCTION }
void callee(int* numbers) { numbers[0] = 1; STEP }
}
"""
SEEDED = {
    "new": "sink(new int(1));",
    "delete": "delete numbers;",
    "malloc": "sink(malloc(numbers[1]));",
    "free": "free(numbers);",
    "a vector": "std::vector<int> copy(numbers, numbers + 9); sink(copy.data());",
    "a string": "std::string text(numbers[1], 'x'); sink(text.data());",
}


class CheckRunPath(unittest.TestCase):
    def check(self, step, virtual_step, root=ROOT):
        with tempfile.TemporaryDirectory() as folder:
            objects = []
            called = CALLED.replace("STEP_OF_A_VIRTUAL_FUNCTION", virtual_step).replace("STEP", step)
            for name, text in (("run", RUN), ("called", called)):
                objects.append(f"{folder}/{name}.o")
                subprocess.run(["c++", "-xc++", "-O2", "-fPIC", "-ffunction-sections", "-fdata-sections", "-w", "-c", "-", "-o",
                                objects[-1]], input=text, text=True, check=True)
            library = f"{folder}/libroom.a"
            subprocess.run(["ar", "rcs", library, *objects], check=True)
            return subprocess.run([SCRIPT, "--root", root, library], capture_output=True, text=True)

    def test_a_clean_path_passes(self):
        result = self.check("", "")
        self.assertEqual(result.returncode, 0, result.stdout)

    def test_each_violation_is_found_with_the_way_to_it(self):
        for what, step in SEEDED.items():
            with self.subTest(what):
                result = self.check(step, "")
                self.assertEqual(result.returncode, 1, result.stdout)
                self.assertIn("room::run(int*)\n", result.stdout)
                self.assertIn("-> room::callee(int*)\n", result.stdout)

    def test_virtual_functions_are_followed(self):
        result = self.check("", "sink(malloc(1));")
        self.assertEqual(result.returncode, 1, result.stdout)
        self.assertIn("-> room::First::go()\n", result.stdout)
        self.assertIn("-> malloc\n", result.stdout)

    def test_a_root_that_is_gone_is_no_success(self):
        self.assertEqual(self.check("", "", "room::ran(").returncode, 1)


if __name__ == "__main__":
    unittest.main()
