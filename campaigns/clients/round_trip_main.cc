// SPDX-License-Identifier: MIT
//
// round_trip [COUNT]: how long the driver takes, as its client sees it: a line each with the median
// in microseconds of COUNT (1000) jobs of one instruction, from the ioctl to the fence, and of as
// many synchronous binds of a page. Where the driver is Linux's under `pantry kernel`, also what
// one register read takes there.

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "igt_tests/harness/igt.h"
#include "igt_tests/lib/bench.h"

using namespace gpu;

namespace {

template <typename Step>
void tell_median(const char* name, int count, Step step) {
  std::vector<int64_t> times;
  for (int i = 0; i < count; ++i) {
    const int64_t start = now_ns();
    step();
    times.push_back(now_ns() - start);
  }
  std::nth_element(times.begin(), times.begin() + count / 2, times.end());
  printf("%s %.1f us\n", name, static_cast<double>(times[static_cast<size_t>(count / 2)]) / 1000);
}

void tell_register_read() {
  FILE* const file = fopen("/sys/module/pantry_gpu/parameters/read_ns", "re");
  if (file == nullptr) return;
  double ns = 0;
  if (fscanf(file, "%lf", &ns) == 1) printf("register read %.1f us\n", ns / 1000);
  fclose(file);
}

}  // namespace

int main(int argc, char** argv) {
  const int count = argc > 1 ? std::max(1, atoi(argv[1])) : 1000;
  const Device device = Device::open_render();
  Bench bench(device);
  const Bo bo = Bo::create(device, kPage);
  const Syncobj done = Syncobj::create(device);
  const Stream stream = bench.place(Assembler().nop());
  tell_median("job", count, [&] {
    bench.group().submit(0, stream, Syncs().signal(done));
    igt_assert_eq(done.wait(kPatience), 0);
  });
  tell_median("bind", count, [&] { bench.vm().map(bo, kPlay); });
  tell_register_read();
}
