# SPDX-License-Identifier: MIT
"""scripts/bench-report on results as Google Benchmark writes them."""
import json
import pathlib
import subprocess
import tempfile
import unittest
import xml.etree.ElementTree

SCRIPT = pathlib.Path(__file__).resolve().parent.parent / "bench-report"
SVG = "{http://www.w3.org/2000/svg}"

FASTER = {"name": "511 pages: map/iterations:1/manual_time", "ours_ns": 50.0, "theirs_ns": 500.0, "ratio": 10.04, "ratio_q1": 9.5,
          "ratio_q3": 10.5, "limit_ns": 25.0, "of_limit": 0.5}
SLOWER = {"name": "one <page>: unmap/manual_time", "ours_ns": 40.0, "theirs_ns": 10.0, "ratio": 0.25, "ratio_q1": 0.24,
          "ratio_q3": 0.26}
TREE = [{"name": f"VA tree, {n} mappings: find/{n}/iterations:1/manual_time", "ours_ns": float(n), "theirs_ns": 2.0 * n, "ratio": 2.0,
         "ratio_q1": 2.0, "ratio_q3": 2.0} for n in (1000, 1000000)]
ALONE = {"name": "one page: map/manual_time", "ours_ns": 1234567.0}


def report(benchmarks, *options):
    with tempfile.NamedTemporaryFile("w") as file:
        json.dump({"benchmarks": benchmarks}, file)
        file.flush()
        return subprocess.run([SCRIPT, file.name, *options], capture_output=True, text=True, check=True).stdout


class Table(unittest.TestCase):
    def test_columns(self):
        rows = [line.split("  ") for line in report([FASTER, SLOWER]).splitlines()]
        cells = [[cell.strip() for cell in row if cell.strip()] for row in rows]
        self.assertEqual(cells[1], ["511 pages: map", "50.0", "500", "10.0", "9.50 – 10.5", "25.0", "0.500"])
        self.assertEqual(cells[2], ["one <page>: unmap", "40.0", "10.0", "0.250", "0.240 – 0.260"])

    def test_without_linux_the_columns_say_so(self):
        row = report([ALONE]).splitlines()[1]
        self.assertEqual(row.count("not installed"), 2)
        self.assertIn("1,230,000", row)


class Documents(unittest.TestCase):
    def write(self, benchmarks):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        report(benchmarks, "--docs", folder.name, "--command", "scripts/bench --now", "--compiler", "cc 12", "--linux", "6.12.1")
        return pathlib.Path(folder.name)

    def test_names_what_it_was_made_with(self):
        text = (self.write([FASTER]) / "benchmarks.md").read_text()
        for wanted in ("`scripts/bench --now`", "cc 12", "6.12.1", "| 511 pages: map | 50.0 | 500 | 10.0 |"):
            self.assertIn(wanted, text)

    def test_bars_reach_from_one_to_the_ratio(self):
        root = xml.etree.ElementTree.parse(self.write([FASTER, SLOWER]) / "benchmarks-ratios.svg").getroot()
        bars = root.findall(f"{SVG}rect")[1:]  # the first is the background
        self.assertEqual(len(bars), 2)
        faster, slower = ([float(bar.get(key)) for key in ("x", "width")] for bar in bars)
        self.assertNotEqual(bars[0].get("fill"), bars[1].get("fill"))
        self.assertAlmostEqual(slower[0] + slower[1], faster[0], delta=0.2)  # both start at 1
        self.assertGreater(faster[1], slower[1])  # 10 times is farther from 1 than a quarter

    def test_the_tree_has_a_line_per_side(self):
        root = xml.etree.ElementTree.parse(self.write(TREE) / "benchmarks-va-tree.svg").getroot()
        dots = root.findall(f"{SVG}circle")
        self.assertEqual(len(dots), 4)
        first_of_ours, last_of_ours, first_of_theirs, _ = [float(dot.get("cy")) for dot in dots]
        self.assertGreater(first_of_ours, last_of_ours)     # a larger time stands higher
        self.assertGreater(first_of_ours, first_of_theirs)

    def test_without_linux_there_are_no_ratios_to_plot(self):
        folder = self.write([ALONE])
        self.assertEqual([file.name for file in folder.iterdir()], ["benchmarks.md"])


if __name__ == "__main__":
    unittest.main()
