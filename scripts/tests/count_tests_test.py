# SPDX-License-Identifier: MIT
"""scripts/count-tests on results as ctest and meson write them."""
import json
import pathlib
import subprocess
import tempfile
import unittest
from xml.sax.saxutils import escape

SCRIPT = pathlib.Path(__file__).resolve().parent.parent / "count-tests"

GTEST_GREEN = """[ RUN      ] Walker.Maps
[       OK ] Walker.Maps (0 ms)
[       OK ] All/Walker.Levels/2 (11 ms)
[  SKIPPED ] Walker.Kernel (0 ms)
[  PASSED  ] 2 tests.
Subtest map: FAIL (0.001s)
"""
GTEST_RED = """[       OK ] Walker.Maps (0 ms)
[  FAILED  ] Walker.Faults (3 ms)
[  FAILED  ] All/Walker.Levels/2, where GetParam() = 4-byte object <02-00 00-00> (3 ms)
[  FAILED  ] 2 tests, listed below:
[  FAILED  ] Walker.Faults
"""
GTEST_CRASHED = "[       OK ] Walker.Maps (0 ms)\n[ RUN      ] Walker.Faults\n"
IGT_RED = """Starting subtest: map
Subtest map: SUCCESS (0.000s)
Subtest unmap: FAIL (0.000s)
Subtest fault: CRASH (0.000s)
Subtest huge: SKIP (0.000s)
Dynamic subtest x: SUCCESS (0.000s)
"""
UNITTEST_RED = """test_a (__main__.Programs.test_a) ... ok
test_b (__main__.Programs.test_b) ... FAIL
test_c (__main__.Programs.test_c) ... ERROR
test_d (__main__.Programs.test_d) ... skipped 'not installed'

FAIL: test_b (__main__.Programs.test_b)
"""
IGT_SKIPPED = "Subtest map: SKIP (0.000s)\nSubtest unmap: SKIP (0.000s)\n"


def count(results):
    with tempfile.NamedTemporaryFile("w") as file:
        file.write(results)
        file.flush()
        return subprocess.run([SCRIPT, file.name], capture_output=True, text=True, check=True).stdout.strip()


def ctest(*programs):
    cases = "".join(f'<testcase name="{name}" status="{"run" if ok else "fail"}"><system-out>{escape(output)}</system-out>'
                    "</testcase>" for name, ok, output in programs)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<testsuite>{cases}</testsuite>\n'


def meson(*programs):
    return "".join(json.dumps({"name": "pantry:unit / " + name, "result": "OK" if ok else "FAIL", "stdout": output}) + "\n"
                   for name, ok, output in programs)


def ctest_not_run(name, message, output):
    return (f'<?xml version="1.0" encoding="UTF-8"?>\n<testsuite><testcase name="{name}" status="notrun"><skipped message="{message}"/>'
            f"<system-out>{escape(output)}</system-out></testcase></testsuite>\n")


class CountTests(unittest.TestCase):
    def check(self, expected, *programs):
        self.assertEqual(count(ctest(*programs)), expected)
        self.assertEqual(count(meson(*programs)), expected)

    def test_green_googletest(self):
        self.check("2 0 1", ("mmu_test", True, GTEST_GREEN))

    def test_red_googletest(self):
        self.check("1 2 0", ("mmu_test", False, GTEST_RED))

    def test_crash_counts_as_a_failure(self):
        self.check("1 1 0", ("mmu_test", False, GTEST_CRASHED))

    def test_green_cases_of_a_program_that_failed_at_exit(self):
        self.check("2 1 1", ("mmu_test", False, GTEST_GREEN))

    def test_igt(self):
        self.check("1 2 1", ("igt.panthor_vm", False, IGT_RED))

    def test_unittest(self):
        self.check("1 2 1", ("programs", False, UNITTEST_RED))

    def test_skipped_program(self):
        self.assertEqual(count(ctest_not_run("igt.vulkan", "SKIP_RETURN_CODE=77", IGT_SKIPPED)), "0 0 2")
        self.assertEqual(count(json.dumps({"name": "pantry:igt / igt.vulkan", "result": "SKIP", "stdout": IGT_SKIPPED}) + "\n"), "0 0 2")
        self.assertEqual(count(ctest_not_run("programs", "SKIP_RETURN_CODE=77", "")), "0 0 1")

    def test_program_that_could_not_start(self):
        self.assertEqual(count(ctest_not_run("igt.vulkan", "Unable to find executable", "")), "0 1 0")

    def test_silent_programs_count_once(self):
        self.check("1 1 0", ("a", True, ""), ("b", False, ""))

    def test_sums(self):
        self.check("4 4 2", ("mmu_test", True, GTEST_GREEN), ("vm_test", False, GTEST_RED), ("igt.vm", False, IGT_RED))


if __name__ == "__main__":
    unittest.main()
