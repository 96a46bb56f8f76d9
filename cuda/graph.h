#pragma once
#include <cuda_runtime.h>
#include <pybind11/pybind11.h>

#include <memory>

#include "memory.h"

namespace baregrad {

// Work of the device that is recorded once, without being done, and then done as often as asked by one
// call. Its arrays stay where they are: what is to change from one time to the next is written into
// them before.
class Graph {
 public:
  // One that goes on from `before` has its memory too.
  explicit Graph(const Graph* before)
      : arena_(before ? before->arena_ : std::make_shared<Arena>()) {}
  ~Graph() { forget(); }
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;

  void begin();
  void end();
  void cancel() noexcept;  // ends a recording in which something went wrong
  void replay() const;

 private:
  cudaGraph_t stop();  // recording
  void forget() noexcept;

  std::shared_ptr<Arena> arena_;
  cudaGraphExec_t executable_ = nullptr;
};

// Throws RuntimeError while a graph is being recorded: `op` reads or waits.
void expect_no_recording(const char* op, const char* sentence);

void bind_graph(pybind11::module_& m);

}  // namespace baregrad
