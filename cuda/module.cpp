#include <pybind11/numpy.h>

#include "../csrc/extension.h"
#include "array.h"
#include "device.h"
#include "exchange.h"
#include "graph.h"

PYBIND11_MODULE(BAREGRAD_MODULE, m) {
  using namespace baregrad;
  using namespace py::literals;
  m.doc() =
      "The CUDA kernels: the names and arguments of baregrad.reference, on arrays of a device.";

  py::class_<Array> array(m, "Array", py::module_local(),
                          "A strided array in the memory of this device.");
  array
      .def_static("from_numpy", &Array::from_numpy, "array"_a,
                  "A copy of a NumPy array on this device.")
      .def_static(
          "empty",
          [](const Shape& shape, py::handle dtype) {
            for (int64_t length : shape)
              if (length < 0)
                throw py::value_error("[empty] shape is " + text(shape) +
                                      ", expected no length below 0");
            return Array::make(dtype_from("empty", dtype), shape);
          },
          "shape"_a, "dtype"_a = "float32", "An array whose elements are not set yet.")
      .def("numpy", &Array::numpy, "A copy as a NumPy array.")
      .def("write", &Array::write, "array"_a, "Take the values of a NumPy array.")
      .def("__getitem__", &Array::at, "key"_a, "A view, by integers, slices, ... and None.")
      .def("transpose", &Array::transpose, "axes"_a = py::none(), "A view, its axes in this order.")
      .def("broadcast_to", &Array::broadcast_to, "shape"_a, "A view that repeats its elements.")
      .def(
          "reshape", [](const Array& a, const Shape& shape) { return a.reshape(shape); }, "shape"_a)
      .def_property_readonly("mT", &Array::transposed)
      .def_property_readonly("shape", [](const Array& a) { return py::tuple(py::cast(a.shape)); })
      .def_property_readonly("ndim", [](const Array& a) { return a.shape.size(); })
      .def_property_readonly("strides",
                             [](const Array& a) { return py::tuple(py::cast(a.strides)); })
      .def_property_readonly("dtype", [](const Array& a) { return py::dtype(name_of(a.dtype)); })
      .def("__repr__", [](const Array& a) {
        return "<" BAREGRAD_DEVICE_NAME " array " + text(a.shape) + " " + name_of(a.dtype) + ">";
      });

  bind_exchange(array);
  bind_extension(m);
  bind_device(m);
  bind_graph(m);
}
