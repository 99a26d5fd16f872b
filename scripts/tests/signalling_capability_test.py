# SPDX-License-Identifier: MIT
"""Seeds code that allocates or waits inside a SignallingSection, and sees each refused by the compiler's thread-safety analysis."""
import pathlib
import shutil
import subprocess
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
COMPILER = "clang++-19"
FLAGS = ["-std=c++23", "-fsyntax-only", "-xc++", "-I", str(ROOT), "-Wall", "-Wextra", "-Werror", "-Wthread-safety",
         "-Wthread-safety-beta", "-DPANTRY_NEGATIVE_CAPABILITIES"]  # those of cmake/flags.cmake and a library of driver/

PRELUDE = """
#include "base/log.h"
#include "driver/gpuvm/va_node_pool.h"
#include "driver/kernel/signalling.h"
#include "driver/memory/frame_allocator.h"
#include "driver/provision/page_pool.h"
#include "driver/sync/fence.h"
namespace pantry::driver {
"""
CLEAN = """
void give_back(PagePool& pool, PageList pages, Cleanup& cleanup) {
  const SignallingSection section(cleanup);
  pool.give_back(std::move(pages), PagePool::Content::kUsed);
}
Result<PageList> prepare(PagePool& pool) PANTRY_MAY_ALLOCATE { return pool.take(1); }
Result<PageList> prepare_more(PagePool& pool, PageList pages, Cleanup& cleanup) PANTRY_MAY_ALLOCATE {
  give_back(pool, std::move(pages), cleanup);
  return prepare(pool);
}
void known_otherwise(PagePool& pool) {
  SignallingSection::check_outside();
  pool.trim(0);
}
void run(PagePool& pool, PageList pages) PANTRY_SIGNALLING {
  pool.give_back(std::move(pages), PagePool::Content::kZero);
}
"""
# What is wrong, and a word of the complaint.
SEEDED = {
    "takes pages inside a section": """
void run(PagePool& pool, Cleanup& cleanup) {
  const SignallingSection section(cleanup);
  (void)pool.take(1);
}
""",
    "waits for a fence inside a section": """
void run(Fence& fence, Cleanup& cleanup) {
  const SignallingSection section(cleanup);
  wait_for(fence, TimePoint::never());
}
""",
    "takes pages in a function between": """
void helper(PagePool& pool) { (void)pool.take(1); }
void run(PagePool& pool, Cleanup& cleanup) {
  const SignallingSection section(cleanup);
  helper(pool);
}
""",
    "the function between says so, and is called inside a section": """
void helper(PagePool& pool) PANTRY_MAY_ALLOCATE { (void)pool.take(1); }
void run(PagePool& pool, Cleanup& cleanup) {
  const SignallingSection section(cleanup);
  helper(pool);
}
""",
    "a lambda between": """
void run(PagePool& pool) PANTRY_MAY_ALLOCATE {
  const auto helper = [&] { (void)pool.take(1); };
  helper();
}
""",
    "waits in a function between": """
void helper(WorkLane& lane) { lane.drain(); }
void run(WorkLane& lane) PANTRY_SIGNALLING { helper(lane); }
""",
    "makes an object inside a section": """
struct Object : RefCounted {};
void run() PANTRY_SIGNALLING { make_ref<Object>(); }
""",
    "logs inside a section": """
void run() PANTRY_SIGNALLING { log_info("driver/vm", "late"); }
""",
    "destroys inside a section what frees": """
void run(VaNodePool& pool) PANTRY_SIGNALLING { VaReserve nodes = VaReserve::for_removal(pool); }
""",
    "frees frames in what only ever runs in a section": """
void run(PagePool& pool) PANTRY_SIGNALLING { pool.trim(0); }
""",
    "runs the half that needs a section without one": """
void run() PANTRY_SIGNALLING {}
void prepare() { run(); }
""",
}


@unittest.skipUnless(shutil.which(COMPILER), f"no {COMPILER}")
class SignallingCapability(unittest.TestCase):
    def compile(self, body):
        return subprocess.run([COMPILER, *FLAGS, "-"], input=PRELUDE + body + "}\n", capture_output=True, text=True)

    def test_clean_code_compiles(self):
        result = self.compile(CLEAN)
        self.assertEqual(result.returncode, 0, result.stderr)

    def test_each_violation_is_refused_by_the_analysis(self):
        for what, body in SEEDED.items():
            with self.subTest(what):
                result = self.compile(body)
                self.assertNotEqual(result.returncode, 0)
                self.assertIn("signalling", result.stderr)
                self.assertIn("[-Werror,-Wthread-safety", result.stderr)


if __name__ == "__main__":
    unittest.main()
