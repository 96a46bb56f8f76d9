#include "graph.h"

#include <stdexcept>
#include <string>

#include "array.h"

namespace baregrad {

void Graph::begin() {
  if (executable_) throw std::runtime_error("[begin] the graph is recorded already");
  expect_no_recording("begin", "another graph is being recorded, expected it to be over");
  // Relaxed: the arena allocates meanwhile.
  check(cudaStreamBeginCapture(current_stream(), cudaStreamCaptureModeRelaxed), "begin");
  Arena::recording() = arena_;
}

cudaGraph_t Graph::stop() {
  if (Arena::recording() != arena_) throw std::runtime_error("[end] the graph is not recorded");
  cudaGraph_t graph = nullptr;
  const cudaError_t error = cudaStreamEndCapture(current_stream(), &graph);
  Arena::recording().reset();
  arena_->free_others();
  check(error, "end");
  return graph;
}

void Graph::end() {
  const cudaGraph_t graph = stop();
  const cudaError_t error = cudaGraphInstantiate(&executable_, graph, 0);
  cudaGraphDestroy(graph);
  check(error, "end");
}

void Graph::cancel() noexcept {
  try {
    if (Arena::recording() == arena_) cudaGraphDestroy(stop());
  } catch (const std::exception&) {  // what went wrong is being told already
  }
}

void Graph::replay() const {
  if (!executable_) throw std::runtime_error("[replay] the graph is not recorded");
  expect_no_recording("replay", "a graph is being recorded, expected it to be over");
  ErrorWord::expect_any();
  check(cudaGraphLaunch(executable_, current_stream()), "replay");
  check_device("replay");
}

void Graph::forget() noexcept {
  cancel();
  if (executable_) cudaGraphExecDestroy(executable_);
}

void expect_no_recording(const char* op, const char* sentence) {
  if (Arena::recording()) throw std::runtime_error("[" + std::string(op) + "] " + sentence);
}

void bind_graph(py::module_& m) {
  using namespace py::literals;
  py::class_<Graph>(m, "Graph", py::module_local(),
                    "Work that is recorded once, and done by every replay.")
      .def(py::init<const Graph*>(), "before"_a = py::none(),
           "Shares the memory of the graph that is replayed before it.")
      .def("begin", &Graph::begin, "From here on work is recorded and not done.")
      .def("end", &Graph::end)
      .def("cancel", &Graph::cancel, "End a recording, and forget it.")
      .def_static(
          "input",
          [](const Shape& shape, py::handle dtype) {
            return Array::make(dtype_from("input", dtype), shape, true);
          },
          "shape"_a, "dtype"_a,
          "While one is recorded, an array that is written before each replay.")
      .def("replay", &Graph::replay, "Do what was recorded.");
}

}  // namespace baregrad
