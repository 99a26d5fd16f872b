// SPDX-License-Identifier: MIT
#include "tools/trace/trace_file.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <limits>
#include <system_error>
#include <utility>

namespace pantry::trace {
namespace {

constexpr std::array<std::uint8_t, 8> kHeader = {'p', 'n', 't', 'r', 'a', 'c', 'e', 1};

enum class Tag : std::uint8_t {
  kEnd = 0,
  kNewVm = 1,
  kEndVm = 2,
  kNewBuffer = 3,
  kEndBuffer = 4,
  kNewSyncobj = 5,
  kBind = 6,
};

template <class... Visitors>
struct Overloaded : Visitors... {
  using Visitors::operator()...;
};

// -1 -> 1, 1 -> 2
constexpr std::uint64_t fold(std::int64_t number) {
  return static_cast<std::uint64_t>(number) << 1 ^ static_cast<std::uint64_t>(number >> 63);
}
constexpr std::int64_t unfold(std::uint64_t number) {
  return static_cast<std::int64_t>(number >> 1 ^ (0 - (number & 1)));
}

}  // namespace

Writer::Writer() {
  for (const std::uint8_t byte : kHeader) bytes_.push_back(std::byte{byte});
}

void Writer::put(std::uint64_t number) {
  for (; number >= 0x80; number >>= 7)
    bytes_.push_back(static_cast<std::byte>((number & 0x7f) | 0x80));
  bytes_.push_back(static_cast<std::byte>(number));
}
void Writer::put_signed(std::int64_t number) { put(fold(number)); }

void Writer::put(const Op& op) {
  put(op.flags);
  put(op.buffer ? *op.buffer + std::uint64_t{1} : 0);
  put_signed(static_cast<std::int64_t>(op.buffer_offset - next_offset_));
  put_signed(static_cast<std::int64_t>(op.va - next_va_));
  put(op.size);
  next_offset_ = op.buffer_offset + op.size;
  next_va_ = op.va + op.size;
  put(op.syncs.size());
  for (const SyncOp& sync : op.syncs) {
    put(std::uint64_t{sync.syncobj} * 4 + (sync.point ? 2 : 0) +
        (sync.kind == SyncOp::Kind::kSignal ? 1 : 0));
    if (sync.point) put(*sync.point);
  }
}

void Writer::add(const Event& event) {
  ++events_;
  const auto tag = [&](Tag which) { put(static_cast<std::uint64_t>(which)); };
  std::visit(Overloaded{
                 [&](const NewVm& vm) {
                   tag(Tag::kNewVm);
                   put(vm.client);
                   put(vm.user_size);
                 },
                 [&](const EndVm& end) {
                   tag(Tag::kEndVm);
                   put(end.vm);
                 },
                 [&](const NewBuffer& buffer) {
                   tag(Tag::kNewBuffer);
                   put(buffer.client);
                   put(buffer.size);
                   put(buffer.flags);
                   put(buffer.exclusive_vm ? *buffer.exclusive_vm + std::uint64_t{1} : 0);
                   put(buffer.extents.size());
                   for (const PhysExtent& extent : buffer.extents) {
                     put_signed(static_cast<std::int64_t>(extent.start.value - next_frame_));
                     put(extent.size);
                     next_frame_ = extent.start.value + extent.size;
                   }
                 },
                 [&](const EndBuffer& end) {
                   tag(Tag::kEndBuffer);
                   put(end.buffer);
                 },
                 [&](const NewSyncobj& syncobj) {
                   tag(Tag::kNewSyncobj);
                   put(syncobj.client);
                 },
                 [&](const Bind& bind) {
                   tag(Tag::kBind);
                   put(bind.vm);
                   put(bind.flags);
                   put_signed(bind.start_ns);
                   put_signed(bind.taken_ns);
                   put(bind.error);
                   put(bind.ops.size());
                   for (const Op& op : bind.ops) put(op);
                 },
             },
             event);
}

std::vector<std::byte> Writer::finish() {
  put(static_cast<std::uint64_t>(Tag::kEnd));
  put(events_);
  return std::exchange(bytes_, {});
}

namespace {

// Reads until the first mistake; from then on every number is 0, and every loop ends.
class Parser {
 public:
  explicit Parser(std::span<const std::byte> bytes) : bytes_(bytes) {}

  std::expected<Trace, ParseError> run() {
    if (bytes_.size() < kHeader.size() ||
        !std::equal(kHeader.begin(), kHeader.end() - 1, bytes_.begin(),
                    [](std::uint8_t a, std::byte b) { return std::byte{a} == b; }))
      return std::unexpected(ParseError{0, "not a trace of VM_BIND"});
    if (bytes_[kHeader.size() - 1] != std::byte{kHeader.back()})
      return std::unexpected(ParseError{
          kHeader.size() - 1,
          fmt::format("version {}, not {}", std::to_integer<int>(bytes_[7]), int{kHeader.back()})});
    at_ = kHeader.size();
    while (read_event()) {
    }
    if (error_) return std::unexpected(*std::move(error_));
    return std::move(trace_);
  }

 private:
  struct Owned {
    std::uint32_t client = 0;
    bool ended = false;
  };

  void fail(std::string what) {
    if (!error_) error_ = ParseError{at_, std::move(what)};
  }

  std::uint64_t number() {
    std::uint64_t value = 0;
    for (std::uint32_t shift = 0; !error_; shift += 7) {
      if (at_ == bytes_.size()) {
        fail("it ends in the middle");
        break;
      }
      const auto byte = std::to_integer<std::uint64_t>(bytes_[at_]);
      if (shift == 63 && byte > 1) {
        fail("a number has more than 64 bits");
        break;
      }
      ++at_;
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    return 0;
  }
  std::int64_t signed_number() { return unfold(number()); }
  std::uint32_t small(const char* what) {
    const std::uint64_t value = number();
    if (value <= std::numeric_limits<std::uint32_t>::max())
      return static_cast<std::uint32_t>(value);
    fail(fmt::format("{} {} has more than 32 bits", what, value));
    return 0;
  }
  // Of things that each take a byte at least.
  std::uint64_t count() {
    const std::uint64_t value = number();
    if (value <= bytes_.size() - at_) return value;
    fail(fmt::format("{} things in the {} bytes that are left", value, bytes_.size() - at_));
    return 0;
  }

  std::uint32_t new_client() {
    const std::uint32_t client = small("client");
    if (client > clients_) fail(fmt::format("client {} comes before client {}", client, clients_));
    if (client == clients_ && !error_) ++clients_;
    return client;
  }
  std::uint32_t one_of(const std::vector<Owned>& known, std::uint64_t which, const char* what) {
    if (which >= known.size())
      fail(fmt::format("{} {} is unknown", what, which));
    else if (known[which].ended)
      fail(fmt::format("{} {} has ended", what, which));
    else
      return static_cast<std::uint32_t>(which);
    return 0;
  }
  std::uint32_t one_of(const std::vector<Owned>& known, std::uint64_t which, const char* what,
                       std::uint32_t client) {
    const std::uint32_t found = one_of(known, which, what);
    if (!error_ && known[found].client != client)
      fail(fmt::format("{} {} is of client {}, not {}", what, which, known[found].client, client));
    return found;
  }

  bool read_event() {
    const std::uint64_t tag = number();
    if (error_) return false;
    switch (static_cast<Tag>(tag)) {
      case Tag::kEnd:
        if (const std::uint64_t events = number(); !error_ && events != trace_.size())
          fail(fmt::format("{} events, of which {} are there", events, trace_.size()));
        if (!error_ && at_ != bytes_.size()) fail("bytes after the end");
        return false;
      case Tag::kNewVm: {
        NewVm vm;
        vm.client = new_client();
        vm.user_size = number();
        vms_.push_back({vm.client});
        return add(vm);
      }
      case Tag::kEndVm: {
        const EndVm end{one_of(vms_, number(), "VM")};
        if (!error_) vms_[end.vm].ended = true;
        return add(end);
      }
      case Tag::kNewBuffer:
        return add(new_buffer());
      case Tag::kEndBuffer: {
        const EndBuffer end{one_of(buffers_, number(), "buffer")};
        if (!error_) buffers_[end.buffer].ended = true;
        return add(end);
      }
      case Tag::kNewSyncobj: {
        const NewSyncobj syncobj{new_client()};
        syncobjs_.push_back({syncobj.client});
        return add(syncobj);
      }
      case Tag::kBind:
        return add(bind());
    }
    fail(fmt::format("an event of kind {}", tag));
    return false;
  }
  template <class T>
  bool add(T event) {
    if (error_) return false;
    trace_.push_back(std::move(event));
    return true;
  }

  NewBuffer new_buffer() {
    NewBuffer buffer;
    buffer.client = new_client();
    buffer.size = number();
    buffer.flags = small("BO_CREATE flags");
    if (const std::uint64_t vm = number(); vm != 0)
      buffer.exclusive_vm = one_of(vms_, vm - 1, "VM", buffer.client);
    for (std::uint64_t left = count(); left != 0 && !error_; --left) {
      PhysExtent extent;
      extent.start = {next_frame_ + static_cast<std::uint64_t>(signed_number())};
      extent.size = number();
      next_frame_ = extent.start.value + extent.size;
      buffer.extents.push_back(extent);
    }
    buffers_.push_back({buffer.client});
    return buffer;
  }

  Bind bind() {
    Bind bind;
    bind.vm = one_of(vms_, number(), "VM");
    if (error_) return bind;
    bind.flags = small("VM_BIND flags");
    bind.start_ns = signed_number();
    bind.taken_ns = signed_number();
    bind.error = small("errno");
    for (std::uint64_t left = count(); left != 0 && !error_; --left)
      bind.ops.push_back(op(vms_[bind.vm].client));
    return bind;
  }
  Op op(std::uint32_t client) {
    Op op;
    op.flags = small("flags");
    if (const std::uint64_t buffer = number(); buffer != 0)
      op.buffer = one_of(buffers_, buffer - 1, "buffer", client);
    op.buffer_offset = next_offset_ + static_cast<std::uint64_t>(signed_number());
    op.va = next_va_ + static_cast<std::uint64_t>(signed_number());
    op.size = number();
    next_offset_ = op.buffer_offset + op.size;
    next_va_ = op.va + op.size;
    for (std::uint64_t left = count(); left != 0 && !error_; --left) {
      const std::uint64_t word = number();
      SyncOp sync;
      sync.kind = (word & 1) != 0 ? SyncOp::Kind::kSignal : SyncOp::Kind::kWait;
      sync.syncobj = one_of(syncobjs_, word / 4, "syncobj", client);
      if ((word & 2) != 0) sync.point = number();
      op.syncs.push_back(sync);
    }
    return op;
  }

  const std::span<const std::byte> bytes_;
  std::size_t at_ = 0;
  std::optional<ParseError> error_;
  Trace trace_;
  std::uint32_t clients_ = 0;
  std::vector<Owned> vms_, buffers_, syncobjs_;
  std::uint64_t next_frame_ = 0, next_offset_ = 0, next_va_ = 0;
};

}  // namespace

std::expected<Trace, ParseError> parse(std::span<const std::byte> bytes) {
  return Parser(bytes).run();
}

std::expected<std::vector<std::byte>, std::string> read_file(const std::string& path) {
  std::error_code error;
  const std::uintmax_t size = std::filesystem::file_size(path, error);
  if (error) return std::unexpected("cannot be read");
  if (size > kLargestFile)
    return std::unexpected(
        fmt::format("has {} bytes, a trace at most {}", std::uint64_t{size}, kLargestFile));
  std::vector<std::byte> bytes(size);
  std::ifstream file(path, std::ios::binary);
  file.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(size));
  if (!file) return std::unexpected("cannot be read");
  return bytes;
}

}  // namespace pantry::trace
