// How the lanes of a warp meet: shuffles, votes, __syncwarp and __activemask.
#include <bit>

#include "block.h"

namespace simt {
namespace {

// The lane that `lane` reads, its own where the operation would leave its segment.
int source_lane(int lane, Shuffle how, int operand, int width) {
  const int segment = lane & -width;
  switch (how) {
    case Shuffle::kIndexed:
      return segment | (operand & (width - 1));
    case Shuffle::kUp:
      return lane - operand < segment ? lane : lane - operand;
    case Shuffle::kDown:
      return lane + operand >= segment + width ? lane : lane + operand;
    case Shuffle::kXor:
      break;
  }
  const int partner = lane ^ operand;  // may lie in an earlier segment, not in a later one
  return partner >= segment + width ? lane : partner;
}

}  // namespace

void sync_warp(const Site& site, Mask mask, bool yes) {
  Block::running()->meet(site, mask, yes, kEverybody);
}

void shuffle(const Site& site, Mask mask, std::uint64_t value, Shuffle how, int operand,
             int width) {
  Block& block = *Block::running();
  if (width < 1 || width > kWarpLanes || (width & (width - 1)) != 0) {
    block.note_width(site, width);
    block.stop();
  }
  constexpr int kFar = kWarpLanes;  // as far as any operand that leaves the warp
  if (how != Shuffle::kIndexed && (operand < 0 || operand > kFar)) operand = kFar;
  block.meet(site, mask, value, source_lane(block.lane(), how, operand, width));
}

void sync_active_lanes(const Site& site) { Block::running()->sync_active_lanes(site); }

std::uint64_t warp_answer() { return Block::running()->warp_answer(); }

void Block::meet(const Site& site, Mask mask, std::uint64_t value, int source) {
  Warp& warp = *warp_;
  const int lane = lane_;
  if ((mask & bit(lane)) == 0) {
    note_own_mask(site, mask);
    stop();
  }
  warp.waits[lane] = {&site, mask, value, source};
  warp.at_meeting |= bit(lane);
  turns_aside_ = 0;
  complete_meeting(warp, lane);
  suspend();
}

// Lets the lanes that `lane` waits for go on, itself included, once all have come. As on a device,
// lanes that have returned are not waited for.
void Block::complete_meeting(Warp& warp, int lane) {
  const Wait& mine = warp.waits[lane];
  const Mask group = mine.mask & warp.live;
  if ((group & ~warp.at_meeting) != 0) return;
  Mask yes = 0;
  Mask read = 0;
  for (Mask rest = group; rest != 0; rest &= rest - 1) {
    const int other = std::countr_zero(rest);
    const Wait& theirs = warp.waits[other];
    if (theirs.mask != mine.mask || !same_site(*theirs.site, *mine.site)) {
      // The other may yet come here, unless it waits for this lane as this one does for it.
      if ((theirs.mask & bit(lane)) == 0) return;
      note_mismatch(warp, lane);
      stop();
    }
    if (theirs.value != 0) yes |= bit(other);
    if (theirs.source != kEverybody) read |= bit(theirs.source);
  }
  if ((read & ~group) != 0) {
    note_stray_read(warp, group);
    stop();
  }
  for (Mask rest = group; rest != 0; rest &= rest - 1) {
    const int reader = std::countr_zero(rest);
    const int source = warp.waits[reader].source;
    warp.answers[reader] = source == kEverybody ? yes : warp.waits[source].value;
  }
  // Of all operations of a warp, this alone orders what its lanes do to memory.
  if (is_watching() && is_same_text(mine.site->operation, "__syncwarp"))
    watch_.join(warp.first_thread / kWarpLanes, group);
  warp.at_meeting &= ~group;
  warp.ready |= group;
}

// Which lanes of a warp run together is the hardware's choice; here all those that come to the same
// __activemask before anything else stops them.
void Block::sync_active_lanes(const Site& site) {
  Warp& warp = *warp_;
  warp.waits[lane_].site = &site;
  warp.at_active_mask |= bit(lane_);
  suspend();
}

bool Block::answer_active_mask(Warp& warp) {
  if (warp.at_active_mask == 0) return false;
  const Wait& leader = warp.waits[std::countr_zero(warp.at_active_mask)];
  Mask group = 0;
  for (Mask rest = warp.at_active_mask; rest != 0; rest &= rest - 1) {
    const int lane = std::countr_zero(rest);
    if (same_site(*warp.waits[lane].site, *leader.site)) group |= bit(lane);
  }
  for (Mask rest = group; rest != 0; rest &= rest - 1) warp.answers[std::countr_zero(rest)] = group;
  warp.at_active_mask &= ~group;
  warp.ready |= group;
  return true;
}

}  // namespace simt
