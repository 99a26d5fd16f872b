// SPDX-License-Identifier: MIT
#include "campaigns/seeded/armed_by_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <utility>

#include "base/types.h"
#include "gpu_emu/remote/descriptor.h"

namespace pantry::seeded {

Result<ArmedByFile> ArmedByFile::create(SeededMmio& registers, const std::string& path) {
  const emu::Descriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!file || ::ftruncate(file.get(), kPageSize) != 0) return Error(static_cast<Errno>(errno));
  void* const page = ::mmap(nullptr, kPageSize, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
  if (page == MAP_FAILED) return Error(static_cast<Errno>(errno));
  return ArmedByFile(registers, static_cast<char*>(page));
}

ArmedByFile::ArmedByFile(ArmedByFile&& other) noexcept
    : registers_(other.registers_),
      file_(std::exchange(other.file_, nullptr)),
      switch_(other.switch_) {}

ArmedByFile::~ArmedByFile() {
  if (file_) ::munmap(file_, kPageSize);
}

emu::Mmio& ArmedByFile::put_before(emu::Mmio& device) {
  registers_.put_before(device);
  return *this;
}

void ArmedByFile::follow() {
  const char now = std::atomic_ref<char>(*file_).load(std::memory_order_acquire);
  const Switch wanted = now == '1' ? Switch::kOn : Switch::kOff;
  if (wanted == switch_) return;
  switch_ = wanted;
  if (wanted == Switch::kOn)
    registers_.arm();
  else
    registers_.disarm();
}

std::uint32_t ArmedByFile::read32(std::uint32_t offset) {
  follow();
  return registers_.read32(offset);
}

void ArmedByFile::write32(std::uint32_t offset, std::uint32_t value) {
  follow();
  registers_.write32(offset, value);
}

}  // namespace pantry::seeded
