#include "dispatch.h"

#include <dlfcn.h>
#include <stddef.h>
#include <string.h>

#include <atomic>
#include <map>
#include <mutex>
#include <stdexcept>

namespace baregrad {
namespace {

// A table, and what asks the runtimes of its plug-ins for their last error.
struct Laid {
  Kernels kernels;
  std::vector<decltype(&baregrad_last_error)> last_errors = {};
};

std::atomic<const Laid*>& in_use() {
  static const Laid best{*available().front()};
  static std::atomic<const Laid*> table{&best};
  return table;
}

const Kernels& named(const std::string& name) {
  std::string names;
  for (const Kernels* table : available()) {
    if (name.empty() || name == table->name) return *table;
    names += (names.empty() ? "" : ", ") + std::string(table->name);
  }
  throw std::invalid_argument("[use] isa is '" + name +
                              "', expected one that this CPU has: " + names);
}

struct Slot {
  const char* op;
  size_t offset, size;
};
constexpr Slot kSlots[] = {
#define BAREGRAD_SLOT(op, slot) {#op, offsetof(Kernels, slot), sizeof(Kernels::slot)},
    BAREGRAD_SLOTS(BAREGRAD_SLOT)
#undef BAREGRAD_SLOT
};

void lay_over(Laid& laid, const Alternative& alternative) {
  Kernels& table = laid.kernels;
  void* library = dlopen(alternative.path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) throw std::invalid_argument("[use] " + alternative.op + ": " + dlerror());
  const auto plugin =
      reinterpret_cast<decltype(&baregrad_plugin)>(dlsym(library, "baregrad_plugin"));
  const auto last_error =
      reinterpret_cast<decltype(&baregrad_last_error)>(dlsym(library, "baregrad_last_error"));
  const std::string where = "[use] " + alternative.op + ": " + alternative.path;
  if (!plugin) throw std::invalid_argument(where + " does not export baregrad_plugin");
  Kernels filled = table;
  plugin(&filled);
  bool fills = false;
  for (const Slot& slot : kSlots) {
    char* const place = reinterpret_cast<char*>(&table) + slot.offset;
    const char* const found = reinterpret_cast<char*>(&filled) + slot.offset;
    if (alternative.op != slot.op || memcmp(place, found, slot.size) == 0) continue;
    memcpy(place, found, slot.size);  // and nothing else that it may have filled
    fills = true;
  }
  if (!fills) throw std::invalid_argument(where + " does not fill a slot of " + alternative.op);
  if (last_error) laid.last_errors.push_back(last_error);
}

}  // namespace

const Kernels& kernels() { return in_use().load(std::memory_order_relaxed)->kernels; }

int plugin_error() {
  int first = 0;
  for (const auto last_error : in_use().load()->last_errors) {
    const int error = last_error();  // all of them: whoever is not asked tells it of a later call
    if (first == 0) first = error;
  }
  return first;
}

void select(const std::string& name, const std::vector<Alternative>& alternatives) {
  const Kernels& base = named(name);
  std::string key = base.name;
  for (const Alternative& a : alternatives) key += ", " + a.op + "=" + a.label;

  // Tables live as long as the process: a kernel of one may be running in another thread.
  static std::mutex mutex;
  static std::map<std::string, Laid> tables;
  std::lock_guard lock(mutex);
  std::string identity = key;
  for (const Alternative& a : alternatives) identity += "\n" + a.path;
  auto found = tables.find(identity);
  if (found == tables.end()) {
    Laid table{base};
    for (const Alternative& a : alternatives) lay_over(table, a);
    table.kernels.name = (new std::string(key))->c_str();
    found = tables.emplace(identity, table).first;
  }
  in_use() = &found->second;
}

}  // namespace baregrad
