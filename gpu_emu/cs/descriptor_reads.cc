// SPDX-License-Identifier: MIT
#include "gpu_emu/cs/descriptor_reads.h"

#include <algorithm>

#include "gpu_emu/datasheet/cs_staging.h"

namespace pantry::emu {
namespace {

namespace isa = datasheet::isa;
namespace staging = isa::staging;

constexpr std::uint64_t kAddressMask = (std::uint64_t{1} << 48) - 1;
// Below the address of a descriptor that is aligned to so much stand tags and counts.
constexpr std::uint64_t kDescriptorAlignment = 64;
constexpr std::uint64_t kProgramAlignment = 32;

constexpr std::uint64_t kResourceEntryBytes = 16;
constexpr std::uint64_t kFauEntryBytes = 8;
constexpr std::uint64_t kProgramBytes = 32;
constexpr std::uint64_t kProgramCode = 8;  // offset of the address of the code
constexpr std::uint64_t kLocalStorageBytes = 32;
constexpr std::uint64_t kBlendBytes = 16;
constexpr std::uint64_t kDepthStencilBytes = 32;
constexpr std::uint64_t kTilerContextBytes = 64;  // of 192: what does not depend on its layers
constexpr std::uint64_t kFramebufferBytes = 64;   // its parameters; what follows depends on them
constexpr std::uint64_t kDrawDescriptorBytes = 128;
constexpr std::uint64_t kInstructionBytes = 8;  // of a shader

// One after the other, until one is refused.
class Reads {
 public:
  explicit Reads(const Execution& run) : run_(run) {}

  std::uint64_t pointer(std::uint8_t reg) const { return run_.get(isa::Reg64{reg}); }

  Reads& bytes(std::uint64_t address, std::uint64_t count) {
    return reach(address & kAddressMask, count, Access::kRead);
  }
  // First and last of a long range: the pages between are asked for as the work comes to them.
  Reads& ends(std::uint64_t address, std::uint64_t count) {
    if (count == 0) return *this;
    return bytes(address, 1).bytes(address + count - 1, 1);
  }
  Reads& descriptor(std::uint64_t pointer, std::uint64_t count) {
    return bytes(align_down(pointer, kDescriptorAlignment), count);
  }
  Reads& resources(std::uint8_t select) {
    const std::uint64_t srt = pointer(staging::kSrtFirst + staging::kStep * select);
    return descriptor(srt, kResourceEntryBytes * staging::SrtPointer::TableCount::get(srt));
  }
  Reads& uniforms(std::uint8_t select) {
    const std::uint64_t fau = pointer(staging::kFauFirst + staging::kStep * select);
    return bytes(staging::FauPointer::Address::get(fau),
                 kFauEntryBytes * staging::FauPointer::EntryCount::get(fau));
  }
  Reads& local_storage(std::uint8_t select) {
    return descriptor(pointer(staging::kTsdFirst + staging::kStep * select), kLocalStorageBytes);
  }
  Reads& program(std::uint8_t select) {
    const std::uint64_t address =
        align_down(pointer(staging::kSpdFirst + staging::kStep * select), kProgramAlignment) &
        kAddressMask;
    bytes(address, kProgramBytes);
    if (step_ != Step::kNext || address == 0) return *this;
    std::uint64_t code = 0;
    const MemoryStatus status =
        run_.memory.load(run_.stream.address_space, GpuVa{address + kProgramCode}, code);
    if (status != MemoryStatus::kOk) step_ = run_.refused(status, address);
    return reach(code & kAddressMask, kInstructionBytes, Access::kExecute);
  }
  template <class Op>
  Reads& selected(const Op& op) {
    return resources(op.srt_select)
        .uniforms(op.fau_select)
        .local_storage(op.tsd_select)
        .program(op.spd_select);
  }
  Step step() const { return step_; }

 private:
  Reads& reach(std::uint64_t address, std::uint64_t count, Access access) {
    if (step_ != Step::kNext || address == 0 || count == 0) return *this;
    const MemoryStatus status =
        run_.memory.probe(run_.stream.address_space, GpuVa{address}, count, access);
    if (status != MemoryStatus::kOk) step_ = run_.refused(status, address);
    return *this;
  }

  const Execution& run_;
  Step step_ = Step::kNext;
};

bool are_ignored(const Execution& run) {
  return run.quirks.endpoint_reads == Quirks::EndpointReads::kNothing;
}

}  // namespace

Step read_descriptors(const Execution& run, const isa::RunCompute& op) {
  return are_ignored(run) ? Step::kNext : Reads(run).selected(op).step();
}
Step read_descriptors(const Execution& run, const isa::RunComputeIndirect& op) {
  return are_ignored(run) ? Step::kNext : Reads(run).selected(op).step();
}
Step read_descriptors(const Execution& run, const isa::RunTiling& op) {
  if (are_ignored(run)) return Step::kNext;
  Reads reads(run);
  reads.descriptor(reads.pointer(staging::idvs::kTilerContext), kTilerContextBytes);
  return reads.selected(op).step();
}

// The position shader is the first of each kind; the others depend on what is drawn.
Step read_descriptors(const Execution& run, const isa::RunIdvs& op) {
  if (are_ignored(run)) return Step::kNext;
  Reads reads(run);
  reads.descriptor(reads.pointer(staging::idvs::kTilerContext), kTilerContextBytes);
  reads.resources(0).uniforms(0).local_storage(0).program(0);
  if (run.quirks.endpoint_reads == Quirks::EndpointReads::kAllSelected) {
    // A select of 0 shares the position shader's entry.
    constexpr std::uint8_t kVarying = 1, kFragment = 2;
    if (op.varying_srt_select != 0) reads.resources(kVarying);
    if (op.varying_fau_select != 0) reads.uniforms(kVarying);
    if (op.varying_tsd_select != 0) reads.local_storage(kVarying);
    if (op.fragment_srt_select != 0) reads.resources(kFragment);
    if (op.fragment_tsd_select != 0) reads.local_storage(kFragment);
  }
  reads.ends(reads.pointer(staging::idvs::kIndexBuffer),
             run.get(isa::r(staging::idvs::kIndexBufferBytes)));
  reads.descriptor(reads.pointer(staging::idvs::kDepthStencil), kDepthStencilBytes);
  const std::uint64_t blend = reads.pointer(staging::idvs::kBlend);
  reads.bytes(align_down(blend, kBlendBytes), kBlendBytes * (blend % kBlendBytes));
  return reads.step();
}

Step read_descriptors(const Execution& run, const isa::RunFragment& op) {
  if (are_ignored(run)) return Step::kNext;
  Reads reads(run);
  reads.descriptor(reads.pointer(staging::fragment::kFramebuffer), kFramebufferBytes);
  if (op.enable_tem) reads.bytes(reads.pointer(staging::fragment::kTemPointer), 1);
  return reads.step();
}

Step read_descriptors(const Execution& run, const isa::RunFullscreen& op) {
  if (are_ignored(run)) return Step::kNext;
  return Reads(run).descriptor(run.get(op.dcd), kDrawDescriptorBytes).step();
}

}  // namespace pantry::emu
