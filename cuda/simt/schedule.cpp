#include "schedule.h"

#include <bit>
#include <charconv>
#include <numeric>

namespace simt {
namespace {

const std::string kRandomPrefix = "random:";

}  // namespace

bool Schedule::parse(const std::string& text) {
  if (text == "forward" || text == "reverse") {
    order_ = text == "forward" ? Order::kForward : Order::kReverse;
    return true;
  }
  if (!text.starts_with(kRandomPrefix)) return false;
  std::uint64_t seed = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data() + kRandomPrefix.size(), end, seed);
  if (error != std::errc() || rest != end) return false;
  order_ = Order::kRandom;
  seed_ = seed;
  return true;
}

std::string Schedule::name() const {
  switch (order_) {
    case Order::kForward:
      return "forward";
    case Order::kReverse:
      return "reverse";
    case Order::kRandom:
      break;
  }
  return kRandomPrefix + std::to_string(seed_);
}

void Schedule::restart(std::uint64_t blocks) {
  state_ = seed_;
  blocks_ = blocks;
  if (order_ != Order::kRandom) return;
  first_block_ = random() % blocks;
  do {
    block_stride_ = random() % blocks + 1;
  } while (std::gcd(block_stride_, blocks) != 1);
}

// In random order the blocks are first, first + stride, first + 2 stride, ... modulo their number:
// no list of a billion blocks need be shuffled.
std::uint64_t Schedule::block(std::uint64_t turn) const {
  switch (order_) {
    case Order::kForward:
      return turn;
    case Order::kReverse:
      return blocks_ - 1 - turn;
    case Order::kRandom:
      break;
  }
  const auto place = first_block_ + static_cast<unsigned __int128>(block_stride_) * turn;
  return static_cast<std::uint64_t>(place % blocks_);
}

int Schedule::random_one(Mask waiting) {
  for (auto skip = random() % static_cast<unsigned>(std::popcount(waiting)); skip > 0; --skip)
    waiting &= waiting - 1;
  return std::countr_zero(waiting);
}

// splitmix64 of Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014.
std::uint64_t Schedule::random() {
  std::uint64_t z = state_ += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

}  // namespace simt
