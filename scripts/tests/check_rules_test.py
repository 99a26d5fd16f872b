# SPDX-License-Identifier: MIT
import pathlib
import subprocess
import tempfile
import unittest

SCRIPT = pathlib.Path(__file__).resolve().parents[1] / "check-rules"


class CheckRules(unittest.TestCase):
    def run_on(self, rules, test):
        with tempfile.TemporaryDirectory() as name:
            root = pathlib.Path(name)
            (root / "docs").mkdir()
            (root / "igt_tests").mkdir()
            (root / "docs/rules.md").write_text(rules)
            (root / "igt_tests/some.cc").write_text(test)
            return subprocess.run([SCRIPT, root], capture_output=True, text=True, check=False)

    def test_all_named(self):
        result = self.run_on("* A4.1 One.\n* A4.2 Two.\n", '"Shows it. [A4.1\n// A4.2]"\n')
        self.assertEqual(result.returncode, 0, result.stdout)
        self.assertIn("2 rules, 2 with a test, 0 with a reason for none, 0 wrong", result.stdout)

    def test_a_rule_without_test(self):
        result = self.run_on("* A4.1 One.\n* A4.2 Two.\n", "// [A4.1]\n")
        self.assertEqual(result.returncode, 1)
        self.assertIn("A4.2: no test names it: Two.", result.stdout)

    def test_a_number_that_is_no_rule(self):
        result = self.run_on("* A4.1 One.\n", "// [A4.1] [A4.9]\n")
        self.assertEqual(result.returncode, 1)
        self.assertIn("A4.9: named by igt_tests/some.cc, and no rule", result.stdout)

    def test_a_reason_is_enough_until_there_is_a_test(self):
        rules = "* A4.1 One. (no test: it would take a year)\n"
        result = self.run_on(rules, "")
        self.assertEqual(result.returncode, 0)
        self.assertIn("1 with a reason for none (A4.1), 0 wrong", result.stdout)
        self.assertEqual(self.run_on(rules, "// [A4.1]\n").returncode, 1)


if __name__ == "__main__":
    unittest.main()
