#include <cuda_runtime.h>
#include <dlfcn.h>

#include <stdexcept>
#include <string>

#include "../csrc/interruptible.h"
#include "device.h"
#include "simt/counts.h"
#include "simt/simt.h"

namespace baregrad {
namespace {

const char* name_of(simt::Kind kind) {
  if (kind == simt::Kind::kRead) return "reads";
  return kind == simt::Kind::kWrite ? "writes" : "updates";
}

}  // namespace

namespace py = pybind11;

const int32_t kDlDevice =
    12;  // kDLExtDev: its memory is the host's, but not to be touched by the host

std::string explain(cudaError_t error) { return cudaGetErrorString(error); }

void bind_device(py::module_& m) {
  using namespace py::literals;
  // Plug-ins with kernels of their own call the simulator that is in this library, so it has to be
  // where the dynamic linker looks.
  Dl_info here;
  if (dladdr(reinterpret_cast<void*>(&bind_device), &here))
    dlopen(here.dli_fname, RTLD_NOW | RTLD_NOLOAD | RTLD_GLOBAL);

  simt::ask_between_blocks([] {
    Interruptible* const watch = Interruptible::innermost();
    return watch != nullptr && watch->is_over();
  });

  m.def("set_host_threads", &simt::set_host_threads, "count"_a,
        "How many threads run the blocks of a launch.");
  m.attr("set_host_threads")(py::module_::import("baregrad._cpu").attr("get_num_threads")());
  m.def(
      "set_schedule",
      [](const std::string& name) {
        if (!simt::set_schedule(name.c_str()))
          throw std::invalid_argument("[set_schedule] schedule is '" + name +
                                      "', expected forward, reverse or random:<seed>");
      },
      "name"_a, "The order in which blocks, warps and lanes run.");
  m.def("schedule", [] { return std::string(simt::schedule()); });

  m.def(
      "last_error",
      [] {
        const cudaError_t error = cudaGetLastError();
        return std::string(error == cudaSuccess ? "" : cudaGetErrorString(error));
      },
      "What the last call of the runtime that failed says, once; \"\" if none did.");
  m.def("last_report", &simt::last_report,
        "What went wrong in the last launch that failed, whoever was told; \"\" if none did.");
  m.def("set_counting", &simt::set_counting, "yes"_a,
        "Whether kernels that are watched are counted.");
  m.def("forget_counted", &simt::forget_counted);
  m.def(
      "counted",
      [] {
        py::list kernels;
        for (const simt::KernelCounts& kernel : simt::counted()) {
          py::list lines;
          for (const simt::LineCounts& line : kernel.lines) {
            const simt::Counts& n = line.counts;
            lines.append(py::make_tuple(line.file, line.line, line.shared ? "shared" : "global",
                                        name_of(line.kind), n.requests, n.lanes, n.bytes,
                                        n.transactions, n.least));
          }
          py::list pieces;
          for (const simt::PieceCounts& piece : kernel.pieces)
            pieces.append(py::make_tuple(piece.line.file, piece.line.line, piece.place.library,
                                         piece.place.offset, piece.turns, piece.lanes));
          kernels.append(py::make_tuple(kernel.name, kernel.launches, kernel.blocks, kernel.threads,
                                        lines, pieces));
        }
        return kernels;
      },
      "Per kernel: name, launches, blocks, threads of a block; for each line that touches memory "
      "its file, number, memory, verb, requests, lanes, bytes, transactions and the least of them; "
      "for each piece without a branch its file, line, library, place in there, turns and lanes.");
}

}  // namespace baregrad
