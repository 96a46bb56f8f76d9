#include "watch.h"

#include <algorithm>
#include <atomic>
#include <string>

#include "block.h"
#include "global_memory.h"
#include "report_text.h"
#include "source_line.h"

namespace simt {
namespace {

constexpr std::uint32_t kMostEpochs = (1 << 20) - 1, kMostClocks = (1 << 12) - 1;

std::atomic<bool> watching{false};
std::atomic<std::uint32_t> blocks_ever{1};

const char* verb(const Touch& touch) {
  if (touch.kind == Kind::kRead) return "reads ";
  return touch.kind == Kind::kWrite ? "writes " : "updates ";
}

const char* verb(const Access& access) {
  if (access.atomic) return "updates";
  return access.write ? "writes" : "reads";
}

std::string bytes_text(std::size_t bytes) {
  return std::to_string(bytes) + (bytes == 1 ? " byte" : " bytes");
}

std::string number_text(std::uint64_t number) { return " " + std::to_string(number); }

}  // namespace

bool is_watching() { return watching.load(std::memory_order_relaxed); }
void start_watching() { watching = true; }

void Watch::begin_launch(std::uint64_t blocks) {
  // No launch that could run to its end has more; another may run at the same time.
  count_ = static_cast<std::uint32_t>(std::min<std::uint64_t>(blocks, 1u << 31));
  first_block_ = blocks_ever.fetch_add(count_);
  published_.clear();
  private_.clear();  // the launch before may have come from another host thread
}

void Watch::begin_block(std::uint64_t turn) {
  block_ = first_block_ + static_cast<std::uint32_t>(turn);
  epoch_ = 0;
  fenced_ = false;
  heard_of_.clear();
  if (joined_) clocks_ = {};
  joined_ = false;
}

void Watch::join(int warp, Mask lanes) {
  joined_ = true;
  Clocks& clocks = clocks_[warp];
  std::array<std::uint16_t, kWarpLanes> together{};
  for (const int lane : numbers(lanes)) {
    clocks[lane][lane] = std::min<std::uint32_t>(clocks[lane][lane] + 1, kMostClocks);
    for (int other = 0; other < kWarpLanes; ++other)
      together[other] = std::max(together[other], clocks[lane][other]);
  }
  for (const int lane : numbers(lanes)) clocks[lane] = together;
}

void Watch::touch(Block& block, const Touch& touch) {
  if (!is_fine(block, touch)) block.stop();
}

bool Watch::is_fine(Block& block, const Touch& touch) {
  Place place;
  if (!find(block, touch, place)) return false;
  if (!place.shared && place.allocation == nullptr) return true;
  if (reinterpret_cast<std::uintptr_t>(touch.address) % touch.multiple != 0) {
    note(block, touch, "misaligned access",
         "the address is no multiple of " + std::to_string(touch.multiple) + ", " +
             name(block, touch.address, place.allocation));
    return false;
  }
  if (!touch.is_half)
    block.count(touch, place.shared, place.shared ? place.byte : std::uintptr_t(touch.address));
  if (place.shadow == nullptr) return true;
  if (touch.kind == Kind::kAtomic) meet_other_blocks(touch.address);
  for (std::size_t byte = place.byte; byte < place.byte + touch.bytes;) {
    const std::size_t word = byte / kWordBytes, end = place.byte + touch.bytes;
    unsigned bytes = 0;
    for (; byte < end && byte / kWordBytes == word; ++byte) bytes |= 1u << byte % kWordBytes;
    if (!look(block, touch, place, word, bytes)) return false;
  }
  return true;
}

bool Watch::find(Block& block, const Touch& touch, Place& place) {
  const SharedMemory& memory = block.shared_memory();
  if (memory.holds(touch.address)) {
    if (!memory.declares(touch.address, touch.bytes)) {
      note(block, touch, "access outside shared memory", name(block, touch.address, nullptr));
      return false;
    }
    if (shared_ == nullptr) shared_ = std::make_unique<Shadow>(memory.bytes());
    place.shadow = shared_.get();
    place.byte = memory.offset(touch.address);
    place.shared = true;
    return true;
  }
  GlobalMemory& global = GlobalMemory::instance();
  const auto is_inside = [&] {
    return touch.address >= last_->data &&
           touch.address + touch.bytes <= last_->data + last_->bytes;
  };
  if (last_ == nullptr || generation_ != global.generation() || !is_inside()) {
    if (block.has_on_stack(touch.address) || block.has_as_argument(touch.address)) return true;
    if (is_private(touch.address)) return true;
    generation_ = global.generation();
    last_ = global.around(touch.address);
  }
  if (last_ == nullptr) {
    if (const Range range = private_memory(touch.address); range.begin != nullptr) {
      private_.push_back(range);
      return true;
    }
    note(block, touch, "access outside global memory",
         touch.address == nullptr ? "a null pointer" : "an address that cudaMalloc did not give");
    return false;
  }
  if (!is_inside() || last_->freed) {
    note(block, touch, last_->freed ? "access to freed memory" : "access outside global memory",
         name(block, touch.address, last_));
    return false;
  }
  place.shadow = last_->shadow.get();
  place.byte = static_cast<std::size_t>(touch.address - last_->data);
  place.allocation = last_;
  return true;
}

bool Watch::is_private(const std::byte* address) {
  for (const Range& range : private_)
    if (range.holds(address)) return true;
  return false;
}

// Whether `before` is ordered before what the running thread does now.
bool Watch::comes_after(const Access& before, const Access& now) const {
  if (before.block - first_block_ >= count_) return true;  // of another launch
  if (before.block != block_) return heard_of_.contains(before.block);
  if (before.thread == now.thread || before.epoch < now.epoch) return true;
  if (before.epoch == kMostEpochs || before.clock == kMostClocks)
    return true;  // counted no further
  if (before.thread / kWarpLanes != now.thread / kWarpLanes) return false;
  const Clocks& clocks = clocks_[now.thread / kWarpLanes];
  return clocks[now.thread % kWarpLanes][before.thread % kWarpLanes] > before.clock;
}

// Word `number` of the place, some bytes of it.
bool Watch::look(Block& block, const Touch& touch, const Place& place, std::size_t number,
                 unsigned bytes) {
  Word& word = place.shadow->word(number);
  std::uint8_t& written = place.shadow->written(number);
  if (place.shared && word.block != block_) word = {}, word.block = block_, written = 0;
  const auto thread = static_cast<unsigned>(block.thread());
  const Clocks& clocks = clocks_[thread / kWarpLanes];
  const bool write = touch.kind != Kind::kRead, atomic = touch.kind == Kind::kAtomic;
  const Access now = {.pc = reinterpret_cast<std::uintptr_t>(touch.pc),
                      .thread = thread,
                      .bytes = bytes,
                      .write = write,
                      .atomic = atomic,
                      .block = block_,
                      .epoch = std::min(epoch_, kMostEpochs),
                      .clock = clocks[thread % kWarpLanes][thread % kWarpLanes]};
  const auto races = [&](const Access& before) {
    return (before.bytes & bytes) != 0 && !(before.atomic && atomic) && !comes_after(before, now);
  };
  const Access* other = races(word.write) ? &word.write : nullptr;
  for (const Access& read : word.reads)
    if (other == nullptr && write && races(read)) other = &read;
  if (other != nullptr) {
    note_race(block, touch, place, *other);
    return false;
  }
  if (touch.kind != Kind::kWrite && (written & bytes) != bytes) {
    note(block, touch, "read of what nobody wrote", name(block, touch.address, place.allocation));
    return false;
  }
  if (write) {
    word.write = now;
    word.reads[0] = word.reads[1] = {};
    written |= bytes;
  } else {
    if (word.reads[0].bytes != 0 &&
        (word.reads[0].thread != thread || word.reads[0].block != block_))
      word.reads[1] = word.reads[0];
    word.reads[0] = now;
  }
  return true;
}

// Who comes to an atomic after a fence shows what its block did before to all who come there later.
void Watch::meet_other_blocks(const std::byte* atomic) {
  if (const auto found = published_.find(atomic); found != published_.end())
    heard_of_.insert(found->second.begin(), found->second.end());
  if (!fenced_) return;
  std::vector<std::uint32_t>& blocks = published_[atomic];
  if (blocks.empty() || blocks.back() != block_) blocks.push_back(block_);
}

void Watch::note(Block& block, const Touch& touch, const char* what, const std::string& details) {
  const SourceLine line = source_lines({touch.pc}).front();
  block.note(line.location(), what,
             "thread" + number_text(static_cast<std::uint64_t>(block.thread())) + " " +
                 verb(touch) + bytes_text(touch.bytes) + ": " + details);
}

void Watch::note_race(Block& block, const Touch& touch, const Place& place, const Access& before) {
  std::string who = "thread" + number_text(before.thread);
  if (before.block != block_) who += " of " + block.name_of(before.block - first_block_);
  const SourceLine line =
      source_lines({reinterpret_cast<const void*>(std::uintptr_t{before.pc})}).front();
  note(block, touch, "race",
       name(block, touch.address, place.allocation) + ", which " + who + " " + verb(before) +
           " at " + text(line.location()) + ", and nothing orders the two");
}

// "byte 48 of __shared__ array tile", "8 bytes behind the 4096 bytes of allocation 3".
std::string Watch::name(Block& block, const std::byte* address, const Allocation* memory) const {
  if (memory == nullptr) return block.shared_memory().name(address);
  const std::string whole =
      bytes_text(memory->bytes) + " of allocation" + number_text(memory->number);
  if (address < memory->data)
    return bytes_text(std::size_t(memory->data - address)) + " before the " + whole;
  const auto byte = static_cast<std::size_t>(address - memory->data);
  if (byte == memory->bytes) return "right behind the " + whole;
  if (byte > memory->bytes) return bytes_text(byte - memory->bytes) + " behind the " + whole;
  return "byte" + number_text(byte) + " of the " + whole;
}

}  // namespace simt
