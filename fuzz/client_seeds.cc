// SPDX-License-Identifier: MIT
#include "fuzz/client_seeds.h"

#include <fcntl.h>

#include <concepts>
#include <vector>

#include "base/check.h"
#include "fuzz/ioctl_layout.h"
#include "gpu_emu/remote/wire.h"
#include "tools/trace/trace_file.h"

namespace pantry::fuzz {
namespace {

namespace isa = datasheet::isa;
using Seeds = std::map<std::string, Bytes>;

// A byte as it is, where the layout has no number: the head of an array (its count), a descriptor,
// a point in time.
struct Raw {
  std::uint8_t byte;
};

template <std::size_t kCount>
std::uint8_t index_of(const IoctlLayout (&known)[kCount], std::uint32_t command) {
  for (std::size_t n = 0; n < kCount; ++n)
    if ((known[n].command & 0xffff) == (command & 0xffff)) return static_cast<std::uint8_t>(n);
  PANTRY_CHECK(false);
  return 0;
}

// An ioctl's argument in the order of its layout.
class Argument {
 public:
  template <class... Field>
  explicit Argument(Field... fields) {
    (put(fields), ...);
  }
  const Bytes& bytes() const { return bytes_; }

 private:
  void put(std::integral auto number) { bytes_.number(static_cast<std::uint64_t>(number)); }
  void put(Raw raw) { bytes_.byte(raw.byte); }
  Bytes bytes_;
};

// Steps of ioctl_stream_fuzz.
class Calls {
 public:
  template <class... Field>
  Calls& call(std::uint32_t command, Field... fields) {
    bytes_.byte(index_of(kDeviceIoctls, command)).append(Argument(fields...).bytes());
    return *this;
  }
  template <class... Field>
  Calls& call_on(std::uint8_t descriptor, std::uint32_t command, Field... fields) {
    bytes_.byte(0xd0).byte(descriptor).byte(index_of(kDescriptorIoctls, command));
    bytes_.append(Argument(fields...).bytes());
    return *this;
  }
  template <isa::InstructionType... I>
  Calls& write(std::uint32_t handle, std::uint64_t offset, const I&... stream) {
    bytes_.byte(0xe0).number(handle).number(offset).byte(sizeof...(I) - 1).words(stream...);
    return *this;
  }
  Calls& close(std::uint8_t descriptor) {
    bytes_.byte(0xe8).byte(descriptor);
    return *this;
  }
  // The n-th read is the last that finds what was there.
  Calls& change_after(std::uint8_t reads, std::uint64_t how) {
    bytes_.byte(0xec).byte(reads).number(how);
    return *this;
  }
  Calls& sleep(std::uint8_t log2_us) {
    bytes_.byte(0xf0).byte(log2_us);
    return *this;
  }
  const Bytes& bytes() const { return bytes_; }

 private:
  Bytes bytes_;
};

constexpr std::uint32_t kSignal = DRM_PANTHOR_SYNC_OP_SIGNAL;
constexpr std::uint32_t kTimeline = DRM_PANTHOR_SYNC_OP_HANDLE_TYPE_TIMELINE_SYNCOBJ;
constexpr std::uint32_t kUnmap = DRM_PANTHOR_VM_BIND_OP_TYPE_UNMAP;
constexpr std::uint64_t kVa = 1 << 20;  // where set_up() has bound buffer 1

Calls queries() {
  Calls calls;
  calls.call(DRM_IOCTL_VERSION, 0, 0, 0, 0, 32, Raw{0}, 32, Raw{0}, 32, Raw{0});
  for (unsigned type = 0; type < 6; ++type)
    calls.call(DRM_IOCTL_PANTHOR_DEV_QUERY, type, 128, Raw{0})
        .call(DRM_IOCTL_PANTHOR_DEV_QUERY, type, 0, Raw{3});
  return calls.call(DRM_IOCTL_GET_CAP, DRM_CAP_SYNCOBJ_TIMELINE, 0)
      .call(DRM_IOCTL_PANTHOR_SET_USER_MMIO_OFFSET, std::uint64_t{1} << 56)
      .call(DRM_IOCTL_PANTHOR_BO_SET_LABEL, 1, 0, Raw{3}, Raw{'a'}, Raw{'b'}, Raw{'c'})
      .call(DRM_IOWR(0xD1, uapi::DrmSetClientName), 3, Raw{3}, Raw{'x'}, Raw{'y'}, Raw{'z'})
      .call(DRM_IOCTL_PANTHOR_BO_QUERY_INFO, 1, 0, 0, 0)
      .call(DRM_IOCTL_PANTHOR_VM_GET_STATE, 1, 0)
      .call(DRM_IOCTL_PANTHOR_GROUP_GET_STATE, 1, 0, 0, 0);
}

Calls binds() {
  Calls calls;
  return calls.call(DRM_IOCTL_PANTHOR_VM_CREATE, 0, 0, std::uint64_t{1} << 32)
      .call(DRM_IOCTL_PANTHOR_BO_CREATE, 4 << 20, 0, 0, 0, 0)
      // One of all 4 MiB, at once; the middle of it away again.
      .call(DRM_IOCTL_PANTHOR_VM_BIND, 1, 0, Raw{2}, 0, 3, 0, 1 << 22, 4 << 20, Raw{0}, kUnmap, 0,
            0, (1 << 22) + 0x3000, 0x1000, Raw{0})
      // Queued, with a fence in and a fence out; the second waits for the first.
      .call(DRM_IOCTL_PANTHOR_VM_BIND, 1, 1, Raw{2}, 2, 3, 1 << 21, 1 << 30, 2 << 20, Raw{1},
            kSignal, 1, 0, kUnmap, 0, 0, 1 << 30, 1 << 20, Raw{2}, 0, 1, 0, kSignal | kTimeline, 2,
            5)
      .call(DRM_IOWR(0xCA, uapi::DrmSyncobjTimelineWait), Raw{1}, 2, Raw{1}, 5, Raw{100}, 1, 0, 0,
            0, Raw{0})
      .call(DRM_IOCTL_PANTHOR_BO_SYNC, Raw{1}, 3, 0, 0, 1 << 20)
      .call(DRM_IOCTL_GEM_CLOSE, 3, 0)
      .call(DRM_IOCTL_PANTHOR_VM_DESTROY, 1, 0)
      .call(DRM_IOCTL_PANTHOR_VM_GET_STATE, 1, 0);
}

Calls jobs() {
  Calls calls;
  return calls
      .write(1, 0x1000, isa::Move48{.dst = isa::d(68), .imm = kVa},
             isa::Move32{.dst = isa::r(70), .imm = 7},
             isa::StoreMultiple{.base = isa::r(70), .address = isa::d(68), .mask = 1, .offset = 0},
             isa::Wait{.mask = {0xff}})
      .call(DRM_IOCTL_PANTHOR_GROUP_SUBMIT, 1, 0, Raw{2}, 0, 32, kVa + 0x1000, 0, 0, Raw{1},
            kSignal, 1, 0, 1, 32, kVa + 0x1000, 0, 0, Raw{2}, 0, 1, 0, kSignal | kTimeline, 2, 1)
      .call(DRM_IOWR(0xC3, uapi::DrmSyncobjWait), Raw{1}, 1, Raw{120}, 1, 1, 0, 0, Raw{0})
      .call(DRM_IOCTL_PANTHOR_GROUP_GET_STATE, 1, 0, 0, 0)
      // Its stream is not there: a fault.
      .call(DRM_IOCTL_PANTHOR_GROUP_SUBMIT, 1, 0, Raw{1}, 0, 64, std::uint64_t{1} << 30, 0, 0,
            Raw{0})
      .sleep(12)
      .call(DRM_IOCTL_PANTHOR_GROUP_DESTROY, 1, 0);
}

Calls heaps() {
  Calls calls;
  return calls.call(DRM_IOCTL_PANTHOR_TILER_HEAP_CREATE, 1, 2, 1 << 17, 8, 4, 0, 0, 0)
      .write(1, 0x2000, isa::HeapSet{.address = isa::d(2)}, isa::Wait{.mask = {0xff}})
      .call(DRM_IOCTL_PANTHOR_GROUP_SUBMIT, 1, 0, Raw{1}, 1, 16, kVa + 0x2000, 0, 0, Raw{0})
      .sleep(8)
      .call(DRM_IOCTL_PANTHOR_TILER_HEAP_DESTROY, 1 << 16, 0);
}

Calls fences() {
  Calls calls;
  return calls.call(DRM_IOCTL_SYNCOBJ_TIMELINE_SIGNAL, Raw{2}, 1, 2, Raw{2}, 4, 9, 2, 0)
      .call(DRM_IOCTL_SYNCOBJ_QUERY, Raw{2}, 1, 2, Raw{2}, 0, 0, 2, 0)
      .call(DRM_IOCTL_SYNCOBJ_TRANSFER, 1, 2, 4, 12, 0, 0)
      .call(DRM_IOWR(0xC1, uapi::DrmSyncobjHandle), 2, 1, Raw{0}, 0, 0)
      .call_on(0, SYNC_IOC_MERGE, 0, 0, 0, 0, Raw{0}, 0, 0, 0)
      .call_on(0, SYNC_IOC_FILE_INFO, 0, 0, 0, 0, 0, 0, 1, 0, Raw{0})
      .call_on(1, uapi::kSyncSetDeadline, Raw{1}, 0)
      .call(DRM_IOWR(0xC2, uapi::DrmSyncobjHandle), 1, 1, Raw{1}, 0, 0)
      .call(DRM_IOWR(0xC1, uapi::DrmSyncobjHandle), 1, 0, Raw{0}, 0, 0)
      .call(DRM_IOWR(0xC2, uapi::DrmSyncobjHandle), 0, 0, Raw{2}, 0, 0)
      .call(DRM_IOWR(0xCF, uapi::DrmSyncobjEventfd), 2, 0, 20, Raw{253}, 0)
      .call(DRM_IOCTL_SYNCOBJ_SIGNAL, Raw{1}, 2, 1, 0)
      .call(DRM_IOCTL_SYNCOBJ_RESET, Raw{2}, 1, 2, 2, 0)
      .call(DRM_IOCTL_SYNCOBJ_DESTROY, 2, 0);
}

// The exporter's half, and the importer's.
Calls exports() {
  Calls calls;
  return calls.call(DRM_IOCTL_PRIME_HANDLE_TO_FD, 1, DRM_CLOEXEC | DRM_RDWR, Raw{0})
      .call_on(0, DMA_BUF_IOCTL_SYNC, 3)
      .call_on(0, DMA_BUF_SET_NAME_A, 0x61, 0, 0, 0)
      .call_on(0, _IOWR('b', 2, std::uint32_t[2]), 3, 0)
      .call_on(0, _IOW('b', 3, std::uint32_t[2]), 3, Raw{1})
      .sleep(4)
      .close(0);
}
Calls imports() {
  Calls calls;
  return calls.sleep(3)
      .call(DRM_IOCTL_PRIME_FD_TO_HANDLE, 0, 0, Raw{0})
      .call(DRM_IOCTL_PANTHOR_VM_BIND, 1, 0, Raw{1}, 0, 3, 0, 1 << 24, 0x10000, Raw{0})
      .call(DRM_IOCTL_PANTHOR_BO_MMAP_OFFSET, 3, 0, 0)
      .call(DRM_IOCTL_GEM_CLOSE, 3, 0);
}

Calls primary_node() {
  Calls calls;
  return calls.call(DRM_IOCTL_SET_MASTER)
      .call(DRM_IOCTL_GET_MAGIC, 0)
      .call(DRM_IOCTL_AUTH_MAGIC, 1)
      .call(DRM_IOCTL_GEM_FLINK, 1, 0)
      .call(DRM_IOCTL_GEM_OPEN, 1, 0, 0)
      .call(DRM_IOCTL_SET_VERSION, 1, 4, 0, 0)
      .call(DRM_IOCTL_GET_UNIQUE, 64, Raw{0})
      .call(DRM_IOCTL_SET_CLIENT_CAP, 1, 1)
      .call(DRM_IOCTL_DROP_MASTER);
}

Bytes one_client(unsigned options, const Calls& calls) {
  return Bytes().byte(options).byte(1).append(calls.bytes());
}
Bytes two_clients(unsigned options, const Calls& first, const Calls& second) {
  return Bytes()
      .byte(options | 1)
      .byte(3)
      .word(static_cast<std::uint16_t>(first.bytes().size()))
      .append(first.bytes())
      .append(second.bytes());
}

Seeds ioctl_streams() {
  Seeds seeds{
      {"queries", one_client(0, queries())},
      {"queries-of-an-older-driver", one_client(0x40, queries())},
      {"jobs", one_client(0, jobs())},
      {"heaps", one_client(0, heaps())},
      {"fences", one_client(0, fences())},
      {"primary-node", one_client(8, primary_node())},
      {"prime", two_clients(0, exports(), imports())},
      {"binds-and-jobs-of-one-file", two_clients(2, binds(), jobs())},
      {"two-with-jobs", two_clients(0, jobs(), jobs())},
  };
  for (const unsigned provisioner : {0u, 0x10u, 0x20u})
    seeds["binds-" + std::to_string(provisioner >> 4)] = one_client(provisioner, binds());
  for (std::uint8_t reads = 1; reads < 5; ++reads) {
    Calls changed;
    changed.change_after(reads, 0xff)
        .call(DRM_IOCTL_PANTHOR_VM_BIND, 1, 0, Raw{1}, 0, 2, 0, 1 << 22, 0x10000, Raw{0})
        .change_after(reads, 0x100)
        .call(DRM_IOCTL_PANTHOR_GROUP_SUBMIT, 1, 0, Raw{1}, 0, 32, kVa, 0, 0, Raw{1}, kSignal, 1,
              0);
    seeds["changes-after-" + std::to_string(reads)] = one_client(0, changed);
  }
  return seeds;
}

// Steps of bind_sequence_fuzz: `what` is 0 to unmap, else 1; 4 for whole blocks.
Bytes& bind(Bytes& bytes, unsigned what, unsigned first, unsigned pages, unsigned offset,
            unsigned how) {
  return bytes.byte(what)
      .word(static_cast<std::uint16_t>(first))
      .word(static_cast<std::uint16_t>(pages - 1))
      .word(static_cast<std::uint16_t>(offset))
      .byte(how);
}

Seeds bind_sequences() {
  Seeds seeds;
  for (unsigned options = 0; options < 16; ++options) {
    const std::string kind = "-" + std::to_string(options);
    Bytes& blocks = seeds["blocks" + kind].byte(options).byte(options);
    bind(blocks, 5, 0, 512, 0, 0);       // a block
    bind(blocks, 0, 300, 1, 0, 32);      // a hole in it
    bind(blocks, 5, 0, 512, 512, 1);     // over it, another
    bind(blocks, 0x31, 250, 40, 7, 49);  // across its start, another buffer
    bind(blocks, 4, 512, 512, 0, 0);
    Bytes& gated = seeds["gated" + kind].byte(options).byte(7 * options);
    bind(gated, 1, 10, 900, 0, 9);    // queued behind a gate
    bind(gated, 0, 100, 600, 0, 1);   // behind it, too
    bind(gated, 0x11, 90, 30, 3, 0);  // overtakes both
    bind(gated, 5, 0, 512, 0, 3);     // prepared and given up
    bind(gated, 1, 1400, 100, 0, 36);
    bind(gated, 0x41, 5, 1, 9, 5);
  }
  return seeds;
}

Seeds traces() {
  using namespace trace;
  const auto written = [](const Trace& events) {
    Writer writer;
    for (const Event& event : events) writer.add(event);
    Bytes bytes;
    for (const std::byte part : writer.finish()) bytes.byte(std::to_integer<unsigned>(part));
    return bytes;
  };
  const NewBuffer buffer{0, 1 << 20, 0, std::nullopt, {{PhysAddr{0x8000'0000}, 1 << 20}}};
  Bind mapped{0, 0, 0, 1500, 0, {{0, 0, 0, 1 << 22, 1 << 20, {}}}};
  Bind queued{0, 1, 2000, 900, 0, {}};
  queued.ops.push_back({0, 0, 4096, 1 << 24, 8192, {{SyncOp::Kind::kSignal, 0, 3}}});
  queued.ops.push_back({kUnmap,
                        std::nullopt,
                        0,
                        1 << 24,
                        4096,
                        {{SyncOp::Kind::kWait, 0, 3}, {SyncOp::Kind::kSignal, 1, std::nullopt}}});
  return {
      {"empty", written({})},
      {"one-bind",
       written({NewVm{0, std::uint64_t{1} << 47}, buffer, mapped, EndBuffer{0}, EndVm{0}})},
      {"two-clients",
       written({NewVm{0, 0}, NewVm{1, 0}, buffer,
                NewBuffer{
                    1, 8192, 1, 1, {{PhysAddr{0x9000'0000}, 4096}, {PhysAddr{0x9100'0000}, 4096}}},
                NewSyncobj{0}, NewSyncobj{0}, mapped, queued, EndVm{0}, EndVm{1}})},
  };
}

// Steps of server_protocol_fuzz, whose first four descriptors are two channels, a render and a
// primary node.
constexpr unsigned kRender = 2, kPrimary = 3;

Seeds server_sessions() {
  Seeds seeds;
  const auto ask = [](Bytes& bytes, std::uint32_t command, unsigned socket, auto... fields) {
    bytes.byte(2).byte(index_of(kDeviceIoctls, command)).byte(0);
    bytes.append(Argument(fields...).bytes()).byte(socket).byte(0);
  };
  Bytes& binds = seeds["binds"];
  ask(binds, DRM_IOCTL_PANTHOR_VM_CREATE, kRender, 0, 0, 0);
  ask(binds, DRM_IOCTL_PANTHOR_BO_CREATE, kRender, 1 << 20, 0, 0, 0, 0);
  ask(binds, DRM_IOCTL_PANTHOR_VM_BIND, kRender, 1, 0, Raw{1}, 0, 1, 0, kVa, 1 << 20, Raw{0});
  ask(binds, DRM_IOCTL_SYNCOBJ_CREATE, kRender, 0, 0);
  ask(binds, DRM_IOWR(0xC3, uapi::DrmSyncobjWait), kRender, Raw{1}, 1, Raw{120}, 1, 2, 0, 0,
      Raw{0});
  binds.byte(5 | 4 << 3).byte(0).number(5).byte(0).number(0).byte(kRender).byte(0);  // cancel
  binds.byte(7).byte(kRender);
  Bytes& shared = seeds["shared"];
  ask(shared, DRM_IOCTL_PANTHOR_BO_CREATE, kRender, 1 << 16, 0, 0, 0, 0);
  ask(shared, DRM_IOCTL_PRIME_HANDLE_TO_FD, kRender, 1, DRM_CLOEXEC | DRM_RDWR, Raw{0});
  // The dma-buf is descriptor 4: size, mapping, its own ioctls, name; imported by the other.
  shared.byte(5 | 8).byte(0).number(0).byte(0).number(0).byte(4).byte(0);
  shared.byte(6).byte(0).number(0).number(1 << 16).byte(3).number(1).byte(4).byte(0);
  shared.byte(4).byte(index_of(kDescriptorIoctls, DMA_BUF_IOCTL_SYNC)).byte(0).number(3);
  shared.byte(4).byte(0);
  shared.byte(6 | 16).byte(0).number(2).number(0).byte(0).number(0).byte(4).byte(0);
  shared.byte(2 | 8).byte(index_of(kDeviceIoctls, DRM_IOCTL_PRIME_FD_TO_HANDLE)).byte(0);
  shared.append(Argument(0, 0, Raw{0}).bytes()).byte(kPrimary).byte(6).byte(4);
  Bytes& timelines = seeds["timelines"];
  timelines.byte(3 << 3);  // opens sw_sync: descriptor 4
  timelines.byte(4).byte(index_of(kDescriptorIoctls, uapi::kSwSyncCreateFence)).byte(0);
  timelines.append(Argument(2, 0, 0, 0, 0, 0).bytes()).byte(4).byte(0);
  timelines.byte(4).byte(index_of(kDescriptorIoctls, SYNC_IOC_FILE_INFO)).byte(0);
  timelines.append(Argument(0, 0, 0, 0, 0, 0, 1, 0, Raw{0}).bytes()).byte(5).byte(0);
  timelines.byte(4).byte(index_of(kDescriptorIoctls, uapi::kSwSyncInc)).byte(0).number(2);
  timelines.byte(4).byte(0);
  Bytes& texts = seeds["texts-and-nonsense"];
  texts.byte(4 << 3);  // gpuvas: descriptor 4
  texts.byte(6 | 16).byte(0).number(1).number(0).byte(0).number(0).byte(4).byte(0);
  texts.byte(6 | 16).byte(0).number(0).number(0).byte(0).number(0).byte(kRender).byte(0);
  texts.byte(1).byte(56).word(std::uint32_t{0x59525450}).zeros(52).byte(kRender).byte(5);
  texts.byte(1).byte(0).byte(0).byte(4);
  texts.byte(7).byte(0);
  Bytes& attribute = seeds["attribute"];
  attribute.byte(6 << 3);  // profiling: descriptor 4
  for (const unsigned digit : {'3', '1', '9'}) {
    attribute.byte(5 | 3 << 3).byte(0).number(0).byte(0).number(0);
    attribute.byte(2).byte(digit).byte('\n').byte(4).byte(0);
  }
  attribute.byte(1).byte(2).byte('2').byte('\n').byte(4).byte(0);
  attribute.byte(6 | 16).byte(0).number(1).number(0).byte(0).number(0).byte(4).byte(0);
  attribute.byte(7).byte(4);
  return seeds;
}

// Steps of remote_device_fuzz.
Seeds hosts() {
  Seeds seeds;
  const auto write = [](Bytes& bytes, unsigned which, std::uint32_t value) {
    bytes.byte(0).byte(which).number(value);
  };
  Bytes& power = seeds["power"].byte(3);
  write(power, 2, ~0u);    // GPU_IRQ_MASK
  write(power, 3, 0x101);  // soft reset
  power.byte(0xf);         // time
  write(power, 4, 1);      // L2
  write(power, 7, 0xff);   // shader cores
  for (unsigned which = 0; which < 14; ++which) power.byte(3).byte(which);
  Bytes& spaces = seeds["address-spaces"].byte(3);
  for (unsigned n = 0; n < 4; ++n) {
    // An entry each in a table of its own, then the space's registers and its UPDATE.
    spaces.byte(4 | n << 3).word(static_cast<std::uint16_t>(512 * n)).word(std::uint16_t(n + 1));
    for (unsigned offset = 0; offset < 14; ++offset)
      spaces.byte(1).byte(0x80 + offset).byte(n).number(offset == 6 ? 1 : 0x4000'0000);
  }
  write(spaces, 6, 1);  // MCU_CONTROL: boots, or tries
  spaces.byte(0xf).byte(2).byte(0xc0).number(1);
  Bytes& refused = seeds["hellos"].byte(0);
  refused.byte(1).number(PANTRY_WIRE_VERSION).byte(1).number(PANTRY_HAS_USER_PAGE);
  refused.number(0x4000'0000).number(16 << 20).number(0).number(0);
  refused.byte(3).byte(0).byte(1).byte(2).byte(63);
  write(refused, 4, 1);
  Bytes& taken = seeds["memory-taken-away"].byte(3);
  write(taken, 6, 1);
  taken.byte(7);
  write(taken, 3, 0x1104);
  taken.byte(6 | 8).word(0x1234u).word(0x20u).byte(6).byte(7).zeros(8);
  return seeds;
}

}  // namespace

std::map<std::string, Seeds> client_seeds() {
  return {{"ioctl_stream_fuzz", ioctl_streams()},
          {"bind_sequence_fuzz", bind_sequences()},
          {"trace_file_fuzz", traces()},
          {"server_protocol_fuzz", server_sessions()},
          {"remote_device_fuzz", hosts()}};
}

}  // namespace pantry::fuzz
