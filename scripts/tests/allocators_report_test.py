# SPDX-License-Identifier: MIT
"""scripts/allocators-report on a folder as scripts/allocators leaves it."""
import json
import pathlib
import subprocess
import tempfile
import unittest

SCRIPT = pathlib.Path(__file__).resolve().parent.parent / "allocators-report"
TRACES = ["dense", "sparse", "blocks", "heap", "teardown"]
PROVISIONERS = ["worst-case", "exact", "range-reserve"]
MARKERS = ["traces", "lines", "formats", "sources"]


def result(reserved, p50):
    times = {"count": 4, "mean": 1.0, "p50": p50, "p99": 9.0, "max": 10.0}
    return json.dumps({"synchronous": times, "asynchronous": dict(times, count=0), "prepare": times, "run": times, "binds": 4,
                       "pages_reserved": reserved, "pages_used": 100, "pages_returned": 0, "peak_tables": 7, "peak_pending": reserved,
                       "flushes": 3, "other_results": 0, "foreign_waits": 0, "other_frames": 0})


CALLGRIND = """
8,000 (100.0%)  PROGRAM TOTALS

2,000 (25.0%)  /x/driver/provision/worst_case.cc:pantry::driver::WorstCase::claim(pantry::driver::Provision&) [/x/pantry]
  120 ( 1.5%)  /x/driver/provision/table_reserve.h:pantry::driver::WorstCase::claim(pantry::driver::Provision&)
1,000 (12.5%)  /x/driver/provision/provisioner.cc:pantry::driver::Provisioner::supply(pantry::driver::Provisioner::Needs const&, int) [/x/pantry]
9,000 (99.9%)  /x/driver/provision/worst_case.cc:pantry::driver::WorstCase::claimed(int)
"""


class AllocatorsReport(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        for trace in TRACES:
            for provisioner in PROVISIONERS:
                for kind in ("bound", "idle"):
                    lines = [result(101, 2.0), result(101, 8.0), result(103, 3.0)]
                    (self.folder / f"{trace}.{provisioner}.{kind}").write_text("\n".join(lines) + "\n")
        (self.folder / "sources.json").write_text(json.dumps([{"source": "core cache", "ns": 1234.4, "calls": 0.25,
                                                               "calls_are": "of the memory allocator"}]))

    def run_it(self, *options):
        return subprocess.run([SCRIPT, self.folder, *options], capture_output=True, text=True)

    def row(self, first):
        line = next(line for line in self.run_it().stdout.splitlines() if line.startswith(first))
        return [cell.strip() for cell in line.split("  ") if cell.strip()]

    def test_takes_medians_of_the_turns_and_the_largest_ratio(self):
        self.assertEqual(self.row("exact"), ["exact", "3.00 / 9.00", "3.00 / 9.00", "3.00 / 9.00", "not counted", "101", "100",
                                             "1.010 (at most 1.030)", "103", "7", "3"])

    def test_counts_instructions_per_bind_of_a_function_as_a_whole(self):
        (self.folder / "dense.worst-case.instructions").write_text(result(100, 1.0) + "\n" + CALLGRIND)
        self.assertIn("750 of 2,000", self.row("worst-case"))

    def test_a_count_without_a_provisioner_is_an_error(self):
        (self.folder / "dense.exact.instructions").write_text(result(100, 1.0) + "\n" + CALLGRIND.replace("WorstCase", "Vm").replace("Provisioner", "Vm"))
        self.assertIn("no provisioner in", self.run_it().stderr)

    def test_sources(self):
        self.assertEqual(self.row("core cache"), ["core cache", "1,234", "0.25 of the memory allocator"])

    def test_puts_the_tables_between_the_markers_and_keeps_the_rest(self):
        document = self.folder / "document.md"
        document.write_text("before\n" + "".join(f"<!-- {m} -->old {m}<!-- end of {m} -->\nafter {m}\n" for m in MARKERS))
        for _ in range(2):  # the second time it finds its own
            self.assertEqual(self.run_it("--document", document, "--compiler", "cc 12").returncode, 0)
            text = document.read_text()
            self.assertTrue(text.startswith("before\n"))
            for marker in MARKERS:
                self.assertNotIn(f"old {marker}", text)
                self.assertIn(f"after {marker}", text)
            self.assertEqual(text.count("**sparse**"), 1)
            self.assertIn("cc 12", text)
            self.assertIn("| core cache | 1,234 |", text)

    def test_a_document_without_a_marker_is_an_error_and_stays(self):
        document = self.folder / "document.md"
        document.write_text("<!-- traces --><!-- end of traces -->")
        done = self.run_it("--document", document)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("lines", done.stderr)
        self.assertEqual(document.read_text(), "<!-- traces --><!-- end of traces -->")


if __name__ == "__main__":
    unittest.main()
