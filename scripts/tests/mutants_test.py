# SPDX-License-Identifier: MIT
"""campaigns/mutants: the order in which --quick builds and tests."""
import contextlib
import importlib.machinery
import importlib.util
import io
import pathlib
import sys
import unittest

PATH = pathlib.Path(__file__).resolve().parent.parent.parent / "campaigns" / "mutants"


def load():
    sys.dont_write_bytecode = True
    loader = importlib.machinery.SourceFileLoader("mutants", str(PATH))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("mutants", loader))
    sys.modules["mutants"] = module
    loader.exec_module(module)
    return module


mutants = load()


class FakeScratch:
    """A tree whose tests see what was built last, as real ones do, and fail when it has any break in it."""

    def __init__(self):
        self.tree = set()
        self.built = set()

    def apply(self, mutant, *options):
        (self.tree.remove if "-R" in options else self.tree.add)(mutant.name)
        return 0, ""

    def build(self, _):
        self.built = set(self.tree)

    def test(self, _):
        return ("failed" if self.built else "passed"), ""


class Quick(unittest.TestCase):
    def test_a_mutant_that_was_built_is_not_the_clean_tree_of_the_next(self):
        campaign = mutants.Campaign(PATH.parent.parent, PATH.parent)
        campaign.scratch = FakeScratch()
        some = [mutants.Mutant(pathlib.Path(f"{name}.patch"), "breaks", ["test"], "Case", "release") for name in "abc"]
        with contextlib.redirect_stdout(io.StringIO()) as said:
            campaign.quick(some)
        self.assertEqual((campaign.killed, campaign.findings), (3, 0), said.getvalue())


if __name__ == "__main__":
    unittest.main()
