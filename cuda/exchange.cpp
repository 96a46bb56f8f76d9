#include "exchange.h"

#include <pybind11/stl.h>

#include <algorithm>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include "device.h"
#include "graph.h"

namespace baregrad {
namespace {

// The structs of DLPack 0.8 and, "versioned", of 1.0.
struct DlDevice {
  int32_t type, id;
};
struct DlType {
  uint8_t code, bits;
  uint16_t lanes;
};
struct DlTensor {
  void* data;
  DlDevice device;
  int32_t rank;
  DlType dtype;
  int64_t* shape;
  int64_t* strides;  // in elements, or null for row-major order
  uint64_t offset;   // in bytes
};
struct DlManaged {
  DlTensor tensor;
  void* owner;
  void (*release)(DlManaged*);
};
struct DlVersioned {
  uint32_t major, minor;
  void* owner;
  void (*release)(DlVersioned*);
  uint64_t flags;
  DlTensor tensor;
};
constexpr uint64_t kReadOnly = 1;

// What is written down where for each of the two.
template <class Managed>
struct Names;
template <>
struct Names<DlManaged> {
  static constexpr const char *fresh = "dltensor", *used = "used_dltensor";
};
template <>
struct Names<DlVersioned> {
  static constexpr const char *fresh = "dltensor_versioned", *used = "used_dltensor_versioned";
};

// By DType.
constexpr DlType kTypes[] = {{2, 32, 1}, {2, 64, 1}, {0, 64, 1}, {1, 8, 1}, {6, 8, 1}};
constexpr const char* kTypeStrings[] = {"<f4", "<f8", "<i8", "|u1", "|b1"};

int current_device() {
  int device = 0;
  check(cudaGetDevice(&device), "device");
  return device;
}

// `later` does nothing more before `earlier` is done with what it has now. The default stream, 1, and
// ours wait for each other anyway.
void wait(cudaStream_t later, cudaStream_t earlier) {
  cudaEvent_t event;
  check(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), "stream");
  const cudaError_t recorded = cudaEventRecord(event, earlier);
  const cudaError_t waited = recorded ? recorded : cudaStreamWaitEvent(later, event, 0);
  cudaEventDestroy(event);
  check(waited, "stream");
}
cudaStream_t stream_of(int64_t number) { return reinterpret_cast<cudaStream_t>(number); }

void expect_stream(const char* op, int64_t number) {
  if (number == 0)
    throw py::value_error("[" + std::string(op) +
                          "] stream is 0, which says not which, expected 1 for the default one");
}

// --- Away

template <class Managed>
struct Exported {
  Array array;
  Shape steps;  // strides in elements
  Managed managed;
};

template <class Managed>
py::capsule exported(const Array& array) {
  auto all = std::make_unique<Exported<Managed>>(Exported<Managed>{array, array.strides, {}});
  for (int64_t& step : all->steps) step /= size_of(array.dtype);
  Managed& managed = all->managed;
  managed.tensor = {array.data,
                    {kDlDevice, current_device()},
                    int32_t(array.shape.size()),
                    kTypes[int(array.dtype)],
                    all->array.shape.data(),
                    all->steps.data(),
                    0};
  managed.owner = all.get();
  managed.release = [](Managed* self) { delete static_cast<Exported<Managed>*>(self->owner); };
  if constexpr (std::is_same_v<Managed, DlVersioned>) managed.major = 1;
  // Who takes it gives the capsule another name, and releases it.
  py::capsule capsule(&managed, Names<Managed>::fresh, [](PyObject* self) {
    if (!PyCapsule_IsValid(self, Names<Managed>::fresh)) return;
    auto* unused = static_cast<Managed*>(PyCapsule_GetPointer(self, Names<Managed>::fresh));
    unused->release(unused);
  });
  all.release();
  return capsule;
}

py::capsule to_dlpack(const Array& array, const std::optional<int64_t>& stream,
                      const std::optional<std::pair<int, int>>& max_version,
                      const std::optional<std::pair<int, int>>& device,
                      const std::optional<bool>& copied) {
  expect_no_recording("dlpack", "a graph is being recorded, expected it to be over");
  if (device && *device != std::pair<int, int>(kDlDevice, current_device()))
    throw py::buffer_error("[dlpack] dl_device is " + std::string(py::str(py::cast(*device))) +
                           ", expected this one, (" + std::to_string(kDlDevice) + ", " +
                           std::to_string(current_device()) + ")");
  for (const int64_t stride : array.strides)
    if (stride < 0)
      throw py::buffer_error("[dlpack] the array has strides " + text(array.strides) +
                             ", which others do not take, expected a copy of it");
  const int64_t number = stream.value_or(1);
  expect_stream("dlpack", number);
  if (number > 1) wait(stream_of(number), current_stream());
  Array shared = array;
  if (copied.value_or(false)) {
    shared = Array::make(array.dtype, array.shape);
    copy(array, shared);
  }
  return max_version && max_version->first >= 1 ? exported<DlVersioned>(shared)
                                                : exported<DlManaged>(shared);
}

py::dict to_interface(const Array& array) {
  using namespace py::literals;
  const py::object strides =
      array.is_contiguous() ? py::object(py::none()) : py::tuple(py::cast(array.strides));
  const auto address = elements(array.shape) ? reinterpret_cast<uintptr_t>(array.data) : 0;
  return py::dict("shape"_a = py::tuple(py::cast(array.shape)),
                  "typestr"_a = kTypeStrings[int(array.dtype)],
                  "data"_a = py::make_tuple(address, false), "strides"_a = strides, "version"_a = 3,
                  "stream"_a = reinterpret_cast<uintptr_t>(current_stream()));
}

// --- And back

[[noreturn]] void wrong(const char* op, const std::string& sentence) {
  throw py::type_error("[" + std::string(op) + "] source " + sentence);
}

template <class Managed>
Array imported(const py::object& capsule) {
  auto* managed = static_cast<Managed*>(PyCapsule_GetPointer(capsule.ptr(), Names<Managed>::fresh));
  if (!managed) throw py::error_already_set();
  const DlTensor& tensor = managed->tensor;
  if constexpr (std::is_same_v<Managed, DlVersioned>)
    if (managed->major != 1 || managed->flags & kReadOnly)
      throw py::buffer_error(managed->major != 1
                                 ? "[from_dlpack] source speaks DLPack " +
                                       std::to_string(managed->major) + ", expected 1"
                                 : "[from_dlpack] source is read-only, expected a copy of it");
  if (tensor.device.type != kDlDevice || tensor.device.id != current_device())
    wrong("from_dlpack", "is on device (" + std::to_string(tensor.device.type) + ", " +
                             std::to_string(tensor.device.id) + "), expected (" +
                             std::to_string(kDlDevice) + ", " + std::to_string(current_device()) +
                             ")");
  const auto is_type = [&](const DlType& type) {
    return type.code == tensor.dtype.code && type.bits == tensor.dtype.bits &&
           type.lanes == tensor.dtype.lanes;
  };
  const auto type = std::find_if(std::begin(kTypes), std::end(kTypes), is_type);
  if (type == std::end(kTypes))
    wrong("from_dlpack", "has a type of code " + std::to_string(tensor.dtype.code) + " and " +
                             std::to_string(tensor.dtype.bits) + " bits, expected one of " +
                             known_dtypes());
  const DType dtype = DType(type - std::begin(kTypes));
  const Shape shape(tensor.shape, tensor.shape + tensor.rank);
  Shape strides = contiguous_strides(shape, size_of(dtype));
  if (tensor.strides)
    for (size_t axis = 0; axis < shape.size(); ++axis)
      strides[axis] = tensor.strides[axis] * size_of(dtype);
  std::shared_ptr<void> memory(managed, [](void* self) {
    auto* mine = static_cast<Managed*>(self);
    if (mine->release) mine->release(mine);
  });
  PyCapsule_SetName(capsule.ptr(), Names<Managed>::used);
  return {std::move(memory), static_cast<char*>(tensor.data) + tensor.offset, dtype, shape,
          strides};
}

Array from_dlpack(const py::object& source) {
  using namespace py::literals;
  const auto stream = reinterpret_cast<uintptr_t>(current_stream());
  py::object capsule;
  try {
    capsule =
        source.attr("__dlpack__")("stream"_a = stream, "max_version"_a = py::make_tuple(1, 0));
  } catch (py::error_already_set& error) {
    if (!error.matches(PyExc_TypeError)) throw;  // of before DLPack 1.0
    capsule = source.attr("__dlpack__")("stream"_a = stream);
  }
  return PyCapsule_IsValid(capsule.ptr(), Names<DlVersioned>::fresh)
             ? imported<DlVersioned>(capsule)
             : imported<DlManaged>(capsule);
}

Array from_interface(const py::object& source) {
  constexpr const char* op = "from_interface";
  const py::dict interface = source.attr("__cuda_array_interface__");
  const auto has = [&](const char* key) {
    return interface.contains(key) && !interface[key].is_none();
  };
  const std::string type = py::str(interface["typestr"]);
  const auto found = std::find(std::begin(kTypeStrings), std::end(kTypeStrings), type);
  if (found == std::end(kTypeStrings))
    wrong(op, "has typestr " + type + ", expected one of <f4, <f8, <i8, |u1, |b1");
  if (has("mask")) wrong(op, "has a mask, expected none");
  const auto data = interface["data"].cast<std::pair<uintptr_t, bool>>();
  if (data.second)
    throw py::buffer_error("[from_interface] source is read-only, expected a copy of it");
  if (has("stream")) {
    const auto number = interface["stream"].cast<int64_t>();
    expect_stream(op, number);
    if (number > 1 && stream_of(number) != current_stream())
      wait(current_stream(), stream_of(number));
  }
  const DType dtype = DType(found - std::begin(kTypeStrings));
  const auto shape = interface["shape"].cast<Shape>();
  const Shape strides = has("strides") ? interface["strides"].cast<Shape>()
                                       : contiguous_strides(shape, size_of(dtype));
  if (strides.size() != shape.size())
    wrong(op, "has shape " + text(shape) + " and strides " + text(strides) +
                  ", expected one for each axis");
  std::shared_ptr<void> owner(new py::object(source), [](void* self) {
    const py::gil_scoped_acquire gil;
    delete static_cast<py::object*>(self);
  });
  return {std::move(owner), reinterpret_cast<char*>(data.first), dtype, shape, strides};
}

}  // namespace

void bind_exchange(py::class_<Array>& array) {
  using namespace py::literals;
  array
      .def("__dlpack__", &to_dlpack, py::kw_only(), "stream"_a = py::none(),
           "max_version"_a = py::none(), "dl_device"_a = py::none(), "copy"_a = py::none())
      .def("__dlpack_device__",
           [](const Array&) { return py::make_tuple(kDlDevice, current_device()); })
      .def_property_readonly("__cuda_array_interface__", &to_interface)
      .def_static("from_dlpack", &from_dlpack, "source"_a, "The memory of another library's array.")
      .def_static("from_interface", &from_interface, "source"_a,
                  "The same of one with __cuda_array_interface__.");
}

}  // namespace baregrad
