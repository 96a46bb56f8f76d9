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

std::atomic<const Kernels*>& in_use() {
  static std::atomic<const Kernels*> table{available().front()};
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

// Where the slots of an op lie in a table: from its first one to that of the next op.
struct Slots {
  size_t begin, end;
};
Slots slots_of(const std::string& op) {
  constexpr size_t kPastAdam = offsetof(Kernels, adam_step) + sizeof(Kernels::adam_step);
  if (op == "gemm") return {offsetof(Kernels, gemm), offsetof(Kernels, unary_forward)};
  if (op == "unary")
    return {offsetof(Kernels, unary_forward), offsetof(Kernels, softmax_xent_forward)};
  if (op == "softmax_xent")
    return {offsetof(Kernels, softmax_xent_forward), offsetof(Kernels, adam_step)};
  if (op == "adam_step") return {offsetof(Kernels, adam_step), kPastAdam};
  throw std::invalid_argument("[use] op is '" + op + "', expected one that has slots");
}

void lay_over(Kernels& table, const Alternative& alternative) {
  void* library = dlopen(alternative.path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) throw std::invalid_argument("[use] " + alternative.op + ": " + dlerror());
  const auto plugin =
      reinterpret_cast<decltype(&baregrad_plugin)>(dlsym(library, "baregrad_plugin"));
  const std::string where = "[use] " + alternative.op + ": " + alternative.path;
  if (!plugin) throw std::invalid_argument(where + " does not export baregrad_plugin");
  const Slots slots = slots_of(alternative.op);
  Kernels filled = table;
  plugin(&filled);
  char* const place = reinterpret_cast<char*>(&table) + slots.begin;
  const char* const found = reinterpret_cast<char*>(&filled) + slots.begin;
  if (memcmp(place, found, slots.end - slots.begin) == 0)
    throw std::invalid_argument(where + " does not fill a slot of " + alternative.op);
  memcpy(place, found, slots.end - slots.begin);  // and nothing else that it may have filled
}

}  // namespace

const Kernels& kernels() { return *in_use().load(std::memory_order_relaxed); }

void select(const std::string& name, const std::vector<Alternative>& alternatives) {
  const Kernels& base = named(name);
  if (alternatives.empty()) {
    in_use() = &base;
    return;
  }
  std::string key = base.name;
  for (const Alternative& a : alternatives) key += ", " + a.op + "=" + a.label;

  // Tables live as long as the process: a kernel of one may be running in another thread.
  static std::mutex mutex;
  static std::map<std::string, Kernels> tables;
  std::lock_guard lock(mutex);
  std::string identity = key;
  for (const Alternative& a : alternatives) identity += "\n" + a.path;
  auto found = tables.find(identity);
  if (found == tables.end()) {
    Kernels table = base;
    for (const Alternative& a : alternatives) lay_over(table, a);
    table.name = (new std::string(key))->c_str();
    found = tables.emplace(identity, table).first;
  }
  in_use() = &found->second;
}

}  // namespace baregrad
