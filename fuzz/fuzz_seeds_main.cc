// SPDX-License-Identifier: MIT
//
// fuzz_seeds FOLDER: writes a corpus for each fuzzer into FOLDER/NAME_fuzz, made of what a driver
// and a client really write: every instruction with operands, a job as Panthor makes it, a firmware
// image, a host's sequences of requests, ioctls, binds, traces.
#include <fmt/core.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "fuzz/bytes.h"
#include "fuzz/client_seeds.h"
#include "gpu_emu/datasheet/cs_instruction.h"
#include "gpu_emu/datasheet/cs_text.h"
#include "gpu_emu/datasheet/firmware_image.h"
#include "gpu_emu/datasheet/firmware_interface.h"

namespace {

namespace isa = pantry::datasheet::isa;
using isa::d;
using isa::r;

using pantry::fuzz::Bytes;

constexpr std::uint32_t kBuffer = 0x100'0000;
constexpr std::uint32_t kData = kBuffer + 0x1000;

// Every instruction, with operands that lead to what the fuzzer maps.
std::map<std::string, std::vector<std::uint64_t>> streams() {
  const auto words = [](const auto&... i) { return std::vector{isa::encode(i)...}; };
  return {
      {"registers",
       words(isa::Move48{.dst = d(10), .imm = kData}, isa::Move32{.dst = r(3), .imm = 7},
             isa::AddImm32{.dst = r(4), .src = r(3), .imm = -1},
             isa::AddImm64{.dst = d(10), .src = d(10), .imm = 64},
             isa::Umin32{.dst = r(5), .src0 = r(3), .src1 = r(4)}, isa::Nop{})},
      {"memory",
       words(
           isa::Move48{.dst = d(10), .imm = kData},
           isa::StoreMultiple{.base = r(0), .address = d(10), .mask = 0xffff, .offset = 4092 - 64},
           isa::LoadMultiple{.base = r(20), .address = d(10), .mask = 0x8005, .offset = 4},
           isa::Wait{.mask = {1}},
           isa::StoreState{.address = d(10),
                           .offset = 8,
                           .state = isa::StateKind::kTimestamp,
                           .wait = {2},
                           .signal = {3}},
           isa::TracePoint{.base = r(66), .register_count = 4})},
      {"flow",
       words(isa::SetSbEntry{.endpoint = {1}, .other = {2}},
             isa::Branch{.value = r(3), .condition = isa::BranchCondition::kLess, .offset = 1},
             isa::Call{.address = d(64), .length = r(1)},
             isa::Jump{.address = d(66), .length = r(2)},
             isa::SetExceptionHandler{.address = d(68), .length = r(1)}, isa::ErrorBarrier{},
             isa::ProtRegion{.words = 2})},
      {"loop",
       words(
           isa::Move32{.dst = r(30), .imm = 3},
           isa::AddImm32{.dst = r(30), .src = r(30), .imm = -1},
           isa::Branch{.value = r(30), .condition = isa::BranchCondition::kGreater, .offset = -2})},
      {"sync",
       words(isa::SyncAdd64{.address = d(66), .data = d(2), .error_propagate = true},
             isa::SyncSet32{.address = d(68),
                            .data = r(3),
                            .scope = isa::SyncScope::kGroup,
                            .wait = {1},
                            .signal = {4}},
             isa::SyncWait64{
                 .address = d(66), .reference = d(4), .condition = isa::SyncCondition::kGreater},
             isa::SyncAdd32{.address = d(70), .data = r(2)},
             isa::SyncSet64{.address = d(72), .data = d(2)},
             isa::SyncWait32{.address = d(70), .reference = r(0), .error_reject = true},
             isa::FlushCache2{
                 .l2 = pantry::datasheet::CacheFlush::kClean, .flush_id = r(9), .signal = {5}},
             isa::ProgressStore{.source = d(2)}, isa::ProgressLoad{.dst = d(6)},
             isa::ProgressWait{.source = d(2)})},
      {"endpoints",
       words(isa::ReqResource{.compute = true, .fragment = true, .tiler = true, .idvs = true},
             isa::HeapSet{.address = d(66)}, isa::Move48{.dst = d(16), .imm = kData},
             isa::HeapOperation{}, isa::RunCompute{.task_increment = 1, .progress_increment = true},
             isa::RunComputeIndirect{.workgroups_per_task = 1}, isa::RunIdvs{.malloc_enable = true},
             isa::RunTiling{}, isa::RunFullscreen{.dcd = d(64)}, isa::FinishTiling{},
             isa::RunFragment{.enable_tem = true},
             isa::Wait{.mask = {0xff}, .progress_increment = true},
             isa::FinishFragment{.increment_fragment_completed = true,
                                 .first_chunk = d(64),
                                 .last_chunk = d(64),
                                 .wait = {1},
                                 .signal = {2}})},
  };
}

Bytes call_from_ring(const std::vector<std::uint64_t>& stream) {
  Bytes bytes;
  bytes.byte(16).byte(4);  // quirks; five words in the ring
  bytes.words(isa::Move48{.dst = d(92), .imm = kBuffer},
              isa::Move32{.dst = r(94), .imm = static_cast<std::uint32_t>(8 * stream.size())},
              isa::Call{.address = d(92), .length = r(94)}, isa::Wait{.mask = {0xff}},
              isa::ErrorBarrier{});
  bytes.byte(8);  // events: mostly time
  for (const unsigned event : {0x70u, 0x70u, 0x14u, 0x72u, 0x70u, 0x15u, 0x21u, 0x22u})
    bytes.byte(event);
  for (const std::uint64_t word : stream) bytes.word(word);
  return bytes;
}

Bytes firmware_image(std::uint32_t data_bytes) {
  namespace image = pantry::datasheet::firmware_image;
  const std::uint32_t sections = data_bytes == 0 ? 1 : 2;
  const std::uint32_t end = image::header::kBytes + 24 * sections;
  Bytes bytes;
  bytes.word(image::kMagicValue).word(std::uint32_t{3}).zeros(8).word(end);
  bytes.word(std::uint32_t{0x1800}).word(std::uint32_t{0xc000'0013});
  bytes.word(std::uint32_t{0x0400'0000}).word(std::uint32_t{0x0401'4000}).zeros(8);
  if (data_bytes != 0) {
    bytes.word(std::uint32_t{0x1800}).word(std::uint32_t{0x0000'0005});
    bytes.word(std::uint32_t{0x0080'0000}).word(std::uint32_t{0x0080'1000});
    bytes.word(end).word(end + data_bytes).zeros(data_bytes);
  }
  return bytes;
}

// One operation of firmware_requests_fuzz: its number and the slot.
constexpr unsigned operation(unsigned number, unsigned slot) { return number | slot << 4; }

std::map<std::string, Bytes> host_sequences() {
  std::map<std::string, Bytes> all;
  // A word into the ring, INSERT, a doorbell, time, events answered.
  Bytes& job = all["job"].byte(0);
  job.byte(operation(9, 0)).word(std::uint16_t{0}).words(isa::Move32{.dst = r(1), .imm = 1});
  job.byte(operation(10, 0)).byte(0).word(std::uint16_t{8}).byte(operation(8, 0)).byte(1);
  job.byte(operation(11, 0)).word(std::uint16_t{100}).byte(operation(14, 0));
  // SUSPEND and RESUME of slot 0, TERMINATE, STATUS_UPDATE.
  Bytes& states = all["states"].byte(1);
  for (const unsigned bit : {1u, 1u, 0u, 5u, 2u})
    states.byte(operation(3, 0)).byte(bit).byte(operation(7, 0)).byte(3);
  states.byte(operation(15, 1)).byte(2).byte(1).byte(operation(15, 7));
  // Queue state, heap answer, a corrupted suspend buffer, a page that stalls.
  Bytes& queues = all["queues"].byte(2);
  queues.byte(operation(6, 0)).byte(0).byte(0).byte(operation(5, 0)).byte(0).byte(8).word(0x1000u);
  queues.byte(operation(7, 0)).byte(1).byte(operation(13, 0)).word(std::uint16_t{16}).word(1u);
  queues.byte(operation(12, 1)).byte(1).byte(operation(0, 0)).word(std::uint16_t{0x40}).word(2u);
  return all;
}

void write(const std::filesystem::path& folder, const std::string& name, const std::string& bytes) {
  std::filesystem::create_directories(folder);
  std::ofstream file(folder / name, std::ios::binary);
  file << bytes;
  file.close();
  if (!file) throw std::runtime_error("cannot write " + (folder / name).string());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    fmt::print(stderr, "usage: fuzz_seeds FOLDER\n");
    return 2;
  }
  const std::filesystem::path root = argv[1];
  for (const auto& [name, stream] : streams()) {
    write(root / "cs_interpreter_fuzz", name, call_from_ring(stream).text());
    Bytes words;
    for (std::size_t n = 0; n < stream.size(); ++n) {
      words.word(stream[n]);
      write(root / "cs_text_fuzz", fmt::format("{}-{}.txt", name, n), isa::disassemble(stream[n]));
    }
    write(root / "cs_text_fuzz", name, words.text());
  }
  for (const auto& [name, sequence] : host_sequences())
    write(root / "firmware_requests_fuzz", name, sequence.text());
  for (const auto& [fuzzer, seeds] : pantry::fuzz::client_seeds())
    for (const auto& [name, bytes] : seeds) write(root / fuzzer, name, bytes.text());
  write(root / "firmware_image_fuzz", "interface", firmware_image(0).text());
  write(root / "firmware_image_fuzz", "code", firmware_image(32).text());
  return 0;
}
