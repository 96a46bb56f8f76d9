#include "counts.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <map>
#include <mutex>
#include <numeric>
#include <tuple>

namespace simt {
namespace {

std::atomic<bool> counting{false};

// Of all launches since it was emptied.
struct Ledger {
  struct Kernel {
    std::uint64_t launches = 0, blocks = 0;
    unsigned threads = 0;
    std::map<std::tuple<const void*, bool, Kind>, Counts> instructions;
    struct Runs {
      std::uint64_t turns = 0, lanes = 0;
    };
    std::map<const void*, Runs> pieces;
  };
  std::mutex mutex;
  std::map<std::string, Kernel> kernels;
};

Ledger& ledger() {
  static Ledger& ledger = *new Ledger;  // never destroyed: it is asked for at the very end, too
  return ledger;
}

std::uint64_t divide_up(std::uint64_t x, std::uint64_t y) { return (x + y - 1) / y; }

// The first `count` of the numbers, each once and ascending; how many those are.
template <std::size_t kSize>
std::size_t sort_unique(std::array<std::uintptr_t, kSize>& numbers, std::size_t count) {
  const auto end = numbers.begin() + static_cast<std::ptrdiff_t>(count);
  std::sort(numbers.begin(), end);
  return static_cast<std::size_t>(std::unique(numbers.begin(), end) - numbers.begin());
}

}  // namespace

void Counts::add(const Counts& other) {
  requests += other.requests;
  lanes += other.lanes;
  bytes += other.bytes;
  transactions += other.transactions;
  least += other.least;
}

void set_counting(bool yes) { counting = yes; }

void forget_counted() {
  const std::lock_guard lock(ledger().mutex);
  ledger().kernels.clear();
}

std::vector<KernelCounts> counted() {
  const std::lock_guard lock(ledger().mutex);
  std::vector<KernelCounts> result;
  for (const auto& [name, kernel] : ledger().kernels) {
    std::vector<const void*> pcs;
    for (const auto& [key, counts] : kernel.instructions) pcs.push_back(std::get<0>(key));
    for (const auto& [pc, runs] : kernel.pieces) pcs.push_back(pc);
    const std::vector<SourceLine> places = source_lines(pcs);
    std::map<std::tuple<std::string, int, bool, Kind>, Counts> lines;
    std::size_t place = 0;
    for (const auto& [key, counts] : kernel.instructions) {
      const SourceLine& line = places[place++];
      lines[{line.file, line.line, std::get<1>(key), std::get<2>(key)}].add(counts);
    }
    result.push_back({name, kernel.launches, kernel.blocks, kernel.threads, {}, {}});
    for (const auto& [key, counts] : lines) {
      const auto& [file, line, shared, kind] = key;
      result.back().lines.push_back({file, line, shared, kind, counts});
    }
    for (const auto& [pc, runs] : kernel.pieces)
      result.back().pieces.push_back({places[place++], place_of(pc), runs.turns, runs.lanes});
  }
  return result;
}

void Counter::begin_launch() {
  on_ = counting;
  instructions_.clear();
  places_.clear();
  met_.clear();
  pieces_.clear();
  piece_places_.clear();
  met_pieces_.clear();
}

void Counter::begin_piece(const void* pc, int lane) {
  const auto [found, is_new] = piece_places_.try_emplace(pc, pieces_.size());
  if (is_new) pieces_.push_back({pc});
  Piece& piece = pieces_[found->second];
  if (!piece.met) met_pieces_.push_back(found->second);
  piece.met = true;
  ++piece.times[lane];
}

void Counter::add(const void* pc, bool shared, Kind kind, int lane, std::uintptr_t address,
                  std::size_t bytes) {
  // No instruction begins at the byte before a return address: the lowest bit is free.
  const auto [found, is_new] = places_.try_emplace(
      reinterpret_cast<std::uintptr_t>(pc) * 2 + (shared ? 1 : 0), instructions_.size());
  if (is_new) instructions_.push_back({pc, shared, kind, {}, {}, {}});
  Instruction& instruction = instructions_[found->second];
  if (instruction.requests.empty()) met_.push_back(found->second);
  const std::uint32_t time = instruction.times[lane]++;
  if (time == instruction.requests.size()) instruction.requests.emplace_back();
  Request& request = instruction.requests[time];
  request.lanes |= Mask{1} << lane;
  request.bytes = std::max(request.bytes, bytes);
  request.addresses[lane] = address;
}

void Counter::end_round() {
  for (const std::size_t number : met_) {
    Instruction& instruction = instructions_[number];
    for (const Request& request : instruction.requests)
      instruction.counts.add(count(instruction, request));
    instruction.requests.clear();
    instruction.times = {};
  }
  met_.clear();
  for (const std::size_t number : met_pieces_) {
    Piece& piece = pieces_[number];
    piece.turns += *std::ranges::max_element(piece.times);
    piece.lanes = std::accumulate(piece.times.begin(), piece.times.end(), piece.lanes);
    piece.times = {};
    piece.met = false;
  }
  met_pieces_.clear();
}

void Counter::end_launch(const LaunchShape& shape, std::uint64_t blocks) {
  const std::lock_guard lock(ledger().mutex);
  Ledger::Kernel& kernel = ledger().kernels[shape.kernel];
  ++kernel.launches;
  kernel.blocks += blocks;
  kernel.threads = shape.block.x * shape.block.y * shape.block.z;
  for (const Instruction& instruction : instructions_)
    kernel.instructions[{instruction.pc, instruction.shared, instruction.kind}].add(
        instruction.counts);
  for (const Piece& piece : pieces_) {
    Ledger::Kernel::Runs& runs = kernel.pieces[piece.pc];
    runs.turns += piece.turns;
    runs.lanes += piece.lanes;
  }
}

Counts Counter::count(const Instruction& instruction, const Request& request) {
  constexpr std::size_t kMostWords = kWarpLanes * 4;  // 16 bytes a lane
  const std::size_t unit = instruction.shared ? 4 : kSectorBytes;
  std::array<std::uintptr_t, kWarpLanes> addresses;
  std::size_t lanes = 0;
  for (Mask rest = request.lanes; rest != 0; rest &= rest - 1)
    addresses[lanes++] = request.addresses[std::countr_zero(rest)];
  Counts counts{1, lanes, lanes * request.bytes, 0, 0};
  // Lanes that update one word take turns; else those that ask for the same are served together.
  const bool take_turns = instruction.shared && instruction.kind == Kind::kAtomic;
  const std::size_t distinct = take_turns ? lanes : sort_unique(addresses, lanes);
  counts.least = divide_up(distinct * request.bytes, instruction.shared ? 4 * kBanks : unit);
  std::array<std::uintptr_t, kMostWords> units;
  std::size_t count = 0;
  for (std::size_t i = 0; i < distinct; ++i)
    for (std::uintptr_t at = addresses[i] / unit;
         at <= (addresses[i] + request.bytes - 1) / unit && count < kMostWords; ++at)
      units[count++] = at;
  if (!take_turns) count = sort_unique(units, count);
  if (!instruction.shared) {
    counts.transactions = count;
    return counts;
  }
  std::array<std::uint64_t, kBanks> of_bank{};
  for (std::size_t i = 0; i < count; ++i) ++of_bank[units[i] % kBanks];
  counts.transactions = *std::ranges::max_element(of_bank);
  return counts;
}

}  // namespace simt
