// SPDX-License-Identifier: MIT
#include "gpu_emu/datasheet/cs_text.h"

#include <fmt/core.h>

#include <bit>
#include <charconv>
#include <limits>
#include <set>
#include <type_traits>

#include "gpu_emu/datasheet/cs_syntax.h"

namespace pantry::datasheet::isa {
namespace {

template <class T>
constexpr std::uint64_t number_of(T value) {
  return static_cast<std::uint64_t>(value);
}
constexpr char kind_of(Reg32) { return 'r'; }
constexpr char kind_of(Reg64) { return 'd'; }

class Writer {
 public:
  Writer& literal(std::string_view text) {
    text_ += text;
    return *this;
  }
  Writer& flag(bool bit, std::string_view set, std::string_view clear) {
    return literal(bit ? set : clear);
  }
  template <class E>
  Writer& choice(E value, const Names& names, std::string_view end) {
    const std::uint64_t n = number_of(value);
    const bool has_name = n < names.size() && names[n] != nullptr;
    return literal(has_name ? fmt::format(".{}{}", names[n], end) : fmt::format(".?{}{}", n, end));
  }
  template <class T>
  Writer& field(std::string_view text, T number) {
    return literal(fmt::format("{}{}", text, +number));
  }
  template <class T>
  Writer& hex(T number) {
    return literal(fmt::format("#{:x}", +number));
  }
  template <class T>
  Writer& upper_hex(T number) {
    return literal(fmt::format("#0x{:X}", +number));
  }
  template <class T>
  Writer& decimal(T number) {
    return literal(fmt::format("#{}", +number));
  }
  template <class T>
  Writer& unless(T usual, T value, std::string_view text) {
    if (value != usual) literal(fmt::format("{}{:x}", text, number_of(value)));
    return *this;
  }
  template <class Reg>
  Writer& reg(Reg name) {
    return literal(fmt::format("{}{}", kind_of(name), +name.index));
  }
  Writer& at(Reg64 address, std::int16_t offset) {
    literal("[").reg(address);
    if (offset != 0) literal(fmt::format(" + {}", offset));
    return literal("]");
  }
  Writer& list(Reg32 base, std::uint16_t mask) {
    if ((mask & 1) == 0) return literal(fmt::format("r{}&0x{:x}", base.index, mask));
    for (std::uint32_t bits = mask; bits != 0; bits &= bits - 1) {
      const int bit = std::countr_zero(bits);
      literal(fmt::format("{}r{}", bit == 0 ? "" : ":", base.index + bit));
    }
    return *this;
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

// Stops at the first thing that is not as it should be, and says what.
class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}

  Reader& literal(std::string_view text) {
    if (!skip(text)) fail(fmt::format("\"{}\" is missing", text));
    return *this;
  }
  Reader& flag(bool& bit, std::string_view set, std::string_view clear) {
    bit = clear.empty() ? skip(set) : !skip(clear);
    return *this;
  }
  template <class E>
  Reader& choice(E& value, const Names& names, std::string_view end) {
    // The longest that fits: "clean_invalidate" begins like "clean".
    const std::string_view before = rest_;
    std::string_view after;
    std::size_t found = names.size();
    for (std::size_t n = 0; n < names.size(); ++n) {
      rest_ = before;
      if (names[n] == nullptr || !skip(".") || !skip(names[n]) || !skip(end)) continue;
      if (found != names.size() && rest_.size() >= after.size()) continue;
      found = n;
      after = rest_;
    }
    rest_ = before;
    if (found != names.size()) {
      rest_ = after;
      value = static_cast<E>(found);
      return *this;
    }
    literal(".?");
    value = static_cast<E>(number<std::underlying_type_t<E>>(10));
    return literal(end);
  }
  template <class T>
  Reader& field(std::string_view text, T& value) {
    literal(text);
    value = number<T>(10);
    return *this;
  }
  template <class T>
  Reader& hex(T& value) {
    literal("#");
    value = number<T>(16);
    return *this;
  }
  template <class T>
  Reader& upper_hex(T& value) {
    literal("#0x");
    value = number<T>(16);
    return *this;
  }
  template <class T>
  Reader& decimal(T& value) {
    literal("#");
    value = number<T>(10);
    return *this;
  }
  template <class T>
  Reader& unless(T usual, T& value, std::string_view text) {
    if (!skip(text)) {
      value = usual;
    } else if constexpr (std::is_enum_v<T>) {
      value = static_cast<T>(number<std::underlying_type_t<T>>(16));
    } else {
      value = number<T>(16);
    }
    return *this;
  }
  template <class Reg>
  Reader& reg(Reg& name) {
    const char kind = kind_of(name);
    literal(std::string_view(&kind, 1));
    name.index = number<std::uint8_t>(10);
    return *this;
  }
  Reader& at(Reg64& address, std::int16_t& offset) {
    literal("[").reg(address);
    offset = skip(" + ") ? number<std::int16_t>(10) : std::int16_t{0};
    return literal("]");
  }
  Reader& list(Reg32& base, std::uint16_t& mask) {
    reg(base);
    if (skip("&0x")) {
      mask = number<std::uint16_t>(16);
      return *this;
    }
    mask = 1;
    while (skip(":r")) {
      const auto next = number<std::uint32_t>(10);
      const std::uint32_t bit = next - base.index;  // huge when it is below
      if (bit > 15 || (mask >> bit) != 0) {
        fail(fmt::format("r{} cannot follow in a row of 16 from r{}", next, base.index));
        return *this;
      }
      mask = static_cast<std::uint16_t>(mask | 1u << bit);
    }
    return *this;
  }

  bool skip(std::string_view text) {
    if (!error_.empty() || !rest_.starts_with(text)) return false;
    rest_.remove_prefix(text.size());
    return true;
  }
  template <class T>
  T number(int base) {
    T value{};
    if (!error_.empty()) return value;
    const auto [end, code] = std::from_chars(rest_.begin(), rest_.end(), value, base);
    if (code != std::errc()) {
      fail(fmt::format("\"{}\" is no number that fits", rest_));
      return T{};
    }
    rest_.remove_prefix(static_cast<std::size_t>(end - rest_.begin()));
    return value;
  }
  std::string_view rest() const { return rest_; }
  const std::string& error() const { return error_; }
  void fail(std::string error) {
    if (error_.empty()) error_ = std::move(error);
  }

 private:
  std::string_view rest_;
  std::string error_;
};

template <class... I>
Instruction instruction_named(std::string_view mnemonic, bool& found, const std::variant<I...>*) {
  Instruction instruction;
  found = (false || ... || (mnemonic == kMnemonic<I> && (instruction = I{}, true)));
  return instruction;
}

std::string_view without_comment(std::string_view text) {
  text = text.substr(0, text.find("//"));
  const auto last = text.find_last_not_of(" \t\r\n");
  text = text.substr(0, last == std::string_view::npos ? 0 : last + 1);
  const auto first = text.find_first_not_of(" \t");
  return first == std::string_view::npos ? std::string_view{} : text.substr(first);
}

}  // namespace

std::string disassemble(std::uint64_t word) {
  std::optional<Instruction> instruction = decode(word);
  if (!instruction) return fmt::format(".word 0x{:016x}", word);
  Writer writer;
  std::visit(
      [&]<class I>(I& op) {
        writer.literal(kMnemonic<I>);
        syntax(writer, op);
      },
      *instruction);
  const std::uint64_t unused = unused_bits(word);
  return unused == 0 ? writer.text() : fmt::format("{} | #0x{:x}", writer.text(), unused);
}

std::expected<std::uint64_t, std::string> assemble(std::string_view text) {
  text = without_comment(text);
  Reader reader(text);
  if (reader.skip(".word 0x")) {
    const auto word = reader.number<std::uint64_t>(16);
    if (!reader.rest().empty()) reader.fail(fmt::format("\"{}\" is too much", reader.rest()));
    if (!reader.error().empty()) return std::unexpected(reader.error());
    return word;
  }
  const std::string_view mnemonic = text.substr(0, text.find_first_of(". |"));
  bool found = false;
  Instruction instruction =
      instruction_named(mnemonic, found, static_cast<const Instruction*>(nullptr));
  if (!found) return std::unexpected(fmt::format("no instruction is called \"{}\"", mnemonic));
  reader.literal(mnemonic);
  std::visit([&](auto& op) { syntax(reader, op); }, instruction);
  std::uint64_t unused = 0;
  if (reader.skip(" | #0x")) unused = reader.number<std::uint64_t>(16);
  if (!reader.rest().empty()) reader.fail(fmt::format("\"{}\" is too much", reader.rest()));
  if (!reader.error().empty()) return std::unexpected(reader.error());

  const bool fits =
      std::visit([]<class I>(const I& op) { return I::Layout::fits(op); }, instruction);
  if (!fits) return std::unexpected("a number that has no room in its field");
  const std::uint64_t word = encode(instruction);
  if ((unused & ~unused_bits(~std::uint64_t{0} >> 8 | OpcodeField::of(opcode_of(instruction)))) !=
      0)
    return std::unexpected(fmt::format("bits 0x{:x} belong to operands", unused));
  return word | unused;
}

std::string disassemble_buffer(std::span<const std::uint64_t> words, GpuVa address) {
  const auto target_of = [&](std::size_t n) -> std::optional<std::size_t> {
    if (OpcodeField::get(words[n]) != Opcode::kBranch) return std::nullopt;
    const auto target = static_cast<std::int64_t>(n) + 1 + decode_as<Branch>(words[n]).offset;
    if (target < 0 || target > static_cast<std::int64_t>(words.size())) return std::nullopt;
    return static_cast<std::size_t>(target);
  };
  const auto label = [&](std::size_t n) {
    return n == words.size() ? std::string("end_of_cs")
                             : fmt::format("label_{:x}", (address + kInstructionBytes * n).value);
  };
  std::set<std::size_t> targets;
  for (std::size_t n = 0; n < words.size(); ++n)
    if (const auto target = target_of(n)) targets.insert(*target);

  std::string text;
  for (std::size_t n = 0; n < words.size(); ++n) {
    if (targets.contains(n)) text += fmt::format("{}:\n", label(n));
    for (unsigned byte = 0; byte < kInstructionBytes; ++byte)
      text += fmt::format("{}{:02x}", byte == 0 ? "  " : " ", words[n] >> 8 * byte & 0xff);
    text += fmt::format("    {}", disassemble(words[n]));
    if (const auto target = target_of(n)) text += fmt::format(" // {}", label(*target));
    text += '\n';
  }
  return text;
}

}  // namespace pantry::datasheet::isa
