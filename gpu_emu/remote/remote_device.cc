// SPDX-License-Identifier: MIT
#include "gpu_emu/remote/remote_device.h"

#include <poll.h>
#include <time.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "base/log.h"
#include "gpu_emu/gpu.h"
#include "gpu_emu/remote/edge_line.h"
#include "gpu_emu/remote/handshake.h"

namespace pantry::emu {
namespace {

constexpr const char* kRoom = "gpu_emu/remote";
// Instructions between two looks at the socket.
constexpr std::uint32_t kSlice = 256;
constexpr std::size_t kBatch = 64;

class MonotonicTime final : public TimeSource {
 public:
  TimePoint now() override {
    timespec time{};
    ::clock_gettime(CLOCK_MONOTONIC, &time);
    return TimePoint{time.tv_sec * 1'000'000'000 + time.tv_nsec};
  }
};

// The thread that could be woken is the one that calls.
class NobodySleeps final : public Wake {
 public:
  void wake() override {}
};

class Connection {
 public:
  Connection(Descriptor socket, int stop, Lent lent, const RemoteDeviceConfig& config)
      : socket_(std::move(socket)),
        stop_(stop),
        lent_(std::move(lent)),
        gpu_line_(PANTRY_LINE_GPU, lent_.edges.get()),
        job_line_(PANTRY_LINE_JOB, lent_.edges.get()),
        mmu_line_(PANTRY_LINE_MMU, lent_.edges.get()),
        gpu_(config.model, config.quirks, ports(), config.streams),
        registers_(config.seam ? config.seam->put_before(gpu_) : gpu_) {
    if (config.misbehaviour) gpu_.attach(*config.misbehaviour);
    if (config.checker == RemoteDeviceConfig::Check::kOff) return;
    if (lent_.frames) ledger_.emplace(ports().dram, lent_.frames->data());
    checker_.emplace(ports().dram, Checker::Config{.order = config.order,
                                                   .on_mistake = on_mistake(config.checker),
                                                   .ledger = ledger_ ? &*ledger_ : nullptr});
    gpu_.attach(*checker_);
  }

  Result<> serve();
  RemoteDeviceTotals totals();

 private:
  enum class Peer { kThere, kGone };

  static Checker::OnMistake on_mistake(RemoteDeviceConfig::Check check) {
    return check == RemoteDeviceConfig::Check::kAbort ? Checker::OnMistake::kAbort
                                                      : Checker::OnMistake::kKeep;
  }
  HostPorts ports();
  std::uint32_t levels() const { return gpu_line_.bit() | job_line_.bit() | mmu_line_.bit(); }
  bool memory_lost() const {
    return lent_.dram.lost() || lent_.user_page.lost() || (lent_.frames && lent_.frames->lost());
  }
  pantry_reply answer(const pantry_request& request);
  Peer receive();
  void answer_all();
  Peer send_replies();
  void sleep(const RunState& state);

  const Descriptor socket_;
  const int stop_;
  Lent lent_;
  EdgeLine gpu_line_, job_line_, mmu_line_;
  MonotonicTime time_;
  NobodySleeps wake_;
  std::optional<FrameLedger> ledger_;
  std::optional<Checker> checker_;  // outlives what it watches
  Gpu gpu_;
  Mmio& registers_;  // the device's, or what the seam has put before them
  std::uint64_t requests_ = 0, refused_ = 0;
  enum class Sleep { kWoken, kStopped } woken_by_ = Sleep::kWoken;

  // Requests come in whole or in pieces; as many replies fit as requests.
  char in_[kBatch * sizeof(pantry_request)];
  std::size_t in_bytes_ = 0;
  char out_[kBatch * sizeof(pantry_reply)];
  std::size_t out_bytes_ = 0, out_sent_ = 0;
};

HostPorts Connection::ports() {
  return {.dram = {lent_.dram_base, lent_.dram.bytes(), lent_.dram.data()},
          .gpu_irq = &gpu_line_,
          .job_irq = &job_line_,
          .mmu_irq = &mmu_line_,
          .user_page = {reinterpret_cast<std::atomic<std::uint32_t>*>(lent_.user_page.data())},
          .wake = &wake_,
          .time = &time_,
          .frame_owner = nullptr};
}

RemoteDeviceTotals Connection::totals() {
  const GpuDump device = gpu_.dump();
  return {.requests = requests_,
          .refused = refused_,
          .edges = gpu_line_.edges() + job_line_.edges() + mmu_line_.edges(),
          .resets = device.resets,
          .recoveries = device.recoveries,
          .mistakes = checker_ ? checker_->reports() : std::vector<CheckerReport>()};
}

pantry_reply Connection::answer(const pantry_request& request) {
  ++requests_;
  const bool access = request.op == PANTRY_READ32 || request.op == PANTRY_WRITE32;
  pantry_reply reply{};
  if (!access && request.op != PANTRY_LEVELS) {
    reply.status = -EOPNOTSUPP;
  } else if (access && (request.offset % 4 != 0 || request.offset >= PANTRY_APERTURE_BYTES)) {
    reply.status = -EINVAL;
  } else if (request.op == PANTRY_READ32) {
    reply.value = registers_.read32(request.offset);
  } else if (request.op == PANTRY_WRITE32) {
    registers_.write32(request.offset, request.value);
  }
  if (memory_lost()) reply.status = -EFAULT;
  if (reply.status != 0) {
    ++refused_;
    log_client(kRoom, "request {} at {:#x}: {}", request.op, request.offset,
               name_of(static_cast<Errno>(-reply.status)));
  }
  reply.levels = levels();
  return reply;
}

Connection::Peer Connection::receive() {
  const ssize_t got = ::recv(socket_.get(), in_ + in_bytes_, sizeof in_ - in_bytes_, MSG_DONTWAIT);
  if (got > 0) in_bytes_ += static_cast<std::size_t>(got);
  if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) return Peer::kGone;
  return Peer::kThere;
}

void Connection::answer_all() {
  std::size_t at = 0;
  for (; in_bytes_ - at >= sizeof(pantry_request); at += sizeof(pantry_request)) {
    pantry_request request;
    std::memcpy(&request, in_ + at, sizeof request);
    const pantry_reply reply = answer(request);
    std::memcpy(out_ + out_bytes_, &reply, sizeof reply);
    out_bytes_ += sizeof reply;
  }
  std::memmove(in_, in_ + at, in_bytes_ - at);
  in_bytes_ -= at;
}

Connection::Peer Connection::send_replies() {
  const ssize_t sent =
      ::send(socket_.get(), out_ + out_sent_, out_bytes_ - out_sent_, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent < 0) return errno == EAGAIN || errno == EINTR ? Peer::kThere : Peer::kGone;
  out_sent_ += static_cast<std::size_t>(sent);
  if (out_sent_ == out_bytes_) out_sent_ = out_bytes_ = 0;
  return Peer::kThere;
}

void Connection::sleep(const RunState& state) {
  pollfd fds[] = {{socket_.get(), static_cast<short>(out_bytes_ == 0 ? POLLIN : POLLOUT), 0},
                  {stop_, POLLIN, 0}};
  timespec time{};
  if (state.kind == RunState::Kind::kIdleUntil) {
    const std::int64_t ns = std::max<std::int64_t>(0, (state.until - time_.now()).ns);
    time = {ns / 1'000'000'000, ns % 1'000'000'000};
  }
  if (::ppoll(fds, 2, state.kind == RunState::Kind::kIdle ? nullptr : &time, nullptr) > 0 &&
      fds[1].revents != 0)
    woken_by_ = Sleep::kStopped;
}

Result<> Connection::serve() {
  while (woken_by_ == Sleep::kWoken) {
    // Requests are taken only when all replies are out, so that the buffers never overflow.
    if (out_bytes_ == 0) {
      if (receive() == Peer::kGone) return {};
      answer_all();
    }
    if (out_bytes_ != 0 && send_replies() == Peer::kGone) return {};
    if (memory_lost()) {
      log_client(kRoom, "the host has taken its memory away; its device is gone");
      return Error(Errno::kFault);
    }
    // While the device is busy this only looks; while it is idle it sleeps.
    sleep(gpu_.run(kSlice));
  }
  return {};
}

}  // namespace

Result<RemoteDeviceTotals> serve_remote_device(Descriptor socket, int stop,
                                               const RemoteDeviceConfig& config) {
  auto lent = receive_hello(socket.get(), stop);
  if (!lent) return Error(lent.error());
  Connection connection(std::move(socket), stop, *std::move(lent), config);
  PANTRY_TRY(connection.serve());
  return connection.totals();
}

}  // namespace pantry::emu
