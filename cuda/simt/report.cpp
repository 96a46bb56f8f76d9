// What the simulator says when a kernel is wrong. Each report reads
//   gemm.cu:41: <what happened> in <kernel>, block (3, 0, 0): <which threads, where>
#include <algorithm>
#include <bit>
#include <string_view>

#include "block.h"
#include "report_text.h"
#include "source_line.h"

namespace simt {
namespace {

constexpr std::size_t kMaxGroups = 8;  // of threads in one report: enough to see the pattern

// Threads that wait for the same thing.
struct Group {
  Site site;
  Mask mask = 0;               // of the warp operation, 0 at a barrier
  const Warp* warp = nullptr;  // nullptr at a barrier
  std::vector<int> threads;
};

void join(std::vector<Group>& groups, const Group& kind, int thread) {
  auto group = std::ranges::find_if(groups, [&](const Group& g) {
    return g.warp == kind.warp && g.mask == kind.mask && same_site(g.site, kind.site);
  });
  if (group == groups.end()) group = groups.insert(group, kind);
  group->threads.push_back(thread);
}

void join_meetings(std::vector<Group>& groups, const Warp& warp) {
  for (const int lane : numbers(warp.at_meeting))
    join(groups, {*warp.waits[lane].site, warp.waits[lane].mask, &warp, {}},
         warp.first_thread + lane);
}

void join_barriers(std::vector<Group>& groups, const Warp& warp) {
  for (const int lane : numbers(warp.at_barrier))
    join(groups, {*warp.waits[lane].site, 0, nullptr, {}}, warp.first_thread + lane);
}

std::string place(const Group& group) {
  const char* const wait = group.threads.size() == 1 ? " waits at " : " wait at ";
  return numbered("thread", group.threads) + wait + text(group.site);
}

// The lanes that a meeting still lacks.
std::string missing(const Group& group) {
  Mask lanes = group.mask & group.warp->live;
  for (const int thread : group.threads) lanes &= ~bit(thread - group.warp->first_thread);
  const int first = group.warp->first_thread;
  const std::string result = " for " + numbered("lane", numbers(lanes));
  return first == 0 ? result : result + " (" + numbered("thread", numbers(lanes, first)) + ")";
}

template <typename Describe>
std::string list(const std::vector<Group>& groups, Describe describe) {
  std::string result;
  for (std::size_t i = 0; i < std::min(groups.size(), kMaxGroups); ++i)
    result += (i == 0 ? "" : "; ") + describe(groups[i]);
  if (groups.size() > kMaxGroups)
    result += "; and " + std::to_string(groups.size() - kMaxGroups) + " more such groups";
  return result;
}

}  // namespace

std::string Block::name_of(std::uint64_t turn) const {
  const uint3 index = index_of(turn);
  return "block (" + std::to_string(index.x) + ", " + std::to_string(index.y) + ", " +
         std::to_string(index.z) + ")";
}

void Block::note(Location where, const std::string& what, const std::string& details) {
  round_ = 0;  // nobody else has a turn
  report_ = text(where) + ": " + what + " in " + shape_.kernel + ", " + name_of(turn_);
  if (!details.empty()) report_ += ": " + details;
}

// The scheduler sees the report and resumes no thread of this launch again, this one included.
void Block::stop() {
  for (;;) suspend();
}

void Block::note_divergent_barrier() {
  std::vector<Group> groups;
  for (int w = 0; w < warp_count_; ++w) join_barriers(groups, warps_[w]);
  note(groups.front().site.location, "divergent barrier", list(groups, place));
}

void Block::note_deadlock() {
  std::vector<Group> groups;
  for (int w = 0; w < warp_count_; ++w) join_meetings(groups, warps_[w]);
  for (int w = 0; w < warp_count_; ++w) join_barriers(groups, warps_[w]);
  note(groups.front().site.location, "deadlock", list(groups, [](const Group& group) {
         return group.warp == nullptr ? place(group) : place(group) + missing(group);
       }));
}

void Block::note_overrun(const SharedMemory::Overrun& overrun) {
  const Site& array = overrun.declaration;
  note(array.location,
       std::string("a write ") + overrun.side + " of __shared__ array " + array.operation, "");
}

void Block::note_room(const Site& declaration) {
  note(declaration.location, std::string("no room for __shared__ array ") + declaration.operation,
       "such arrays may take " + std::to_string(kStaticSharedBytes) +
           " bytes of a block, with dynamic shared memory " + std::to_string(kDynamicSharedBytes));
}

void Block::note_spinning(const Site& site) {
  note(site.location, "a thread spins for ever",
       "thread " + std::to_string(warp_->first_thread + lane_) + " waits at " +
           std::string(site.operation) + " for what no thread of its block will do");
}

void Block::note_polling(const void* pc) {
  const SourceLine line = source_lines({pc}).front();
  note_spinning({"a volatile read", line.location()});
}

void Block::note_width(const Site& site, int width) {
  note(site.location, std::string(site.operation) + " of width " + std::to_string(width),
       "a width is a power of two up to 32");
}

void Block::note_own_mask(const Site& site, Mask mask) {
  note(site.location, std::string(site.operation) + " by a lane not in its own mask",
       "thread " + std::to_string(warp_->first_thread + lane_) + " is lane " +
           std::to_string(lane_) + ", the mask " + mask_text(mask));
}

void Block::note_mismatch(const Warp& warp, int lane) {
  std::vector<Group> groups;
  join_meetings(groups, warp);
  note(warp.waits[lane].site->location, "lanes meet at different warp operations",
       list(groups, [](const Group& group) {
         return place(group) + " with mask " + mask_text(group.mask);
       }));
}

// `group` are the lanes that take part in a shuffle.
void Block::note_stray_read(const Warp& warp, Mask group) {
  const Wait& wait = warp.waits[std::countr_zero(group)];
  const int lanes = std::min(thread_count_ - warp.first_thread, kWarpLanes);
  const auto state = [&](int source) {
    if (source >= lanes) return "which the block does not have";
    if ((wait.mask & bit(source)) == 0) return "which the mask leaves out";
    return "which returned before";
  };
  Mask readers = 0;
  Mask read = 0;
  const char* why = nullptr;
  for (const int lane : numbers(group)) {
    const int source = warp.waits[lane].source;
    if ((group & bit(source)) != 0) continue;
    if (why == nullptr) why = state(source);
    if (std::string_view(why) != state(source)) continue;
    readers |= bit(lane);
    read |= bit(source);
  }
  note(wait.site->location, std::string(wait.site->operation) + " reads a lane that takes no part",
       numbered("thread", numbers(readers, warp.first_thread)) + " with mask " +
           mask_text(wait.mask) + " want " + numbered("lane", numbers(read)) + ", " + why);
}

}  // namespace simt
