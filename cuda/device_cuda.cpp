#include "device.h"

#include <cuda_runtime.h>
#include <pybind11/pybind11.h>

#include <string>

namespace baregrad {
namespace {

// Why no kernel can run, "" if they can. Asks the driver, which may not be there.
std::string why_absent() {
  int devices = 0;
  const cudaError_t error = cudaGetDeviceCount(&devices);
  cudaGetLastError();
  if (error != cudaSuccess) return std::string("no CUDA device: ") + cudaGetErrorString(error);
  return devices > 0 ? "" : "no CUDA device";
}

}  // namespace

const int32_t kDlDevice = 2;  // kDLCUDA

std::string explain(cudaError_t error) {
  const std::string sentence = cudaGetErrorString(error);
  if (error != cudaErrorNoKernelImageForDevice) return sentence;
  cudaDeviceProp device;
  if (cudaGetDeviceProperties(&device, 0) != cudaSuccess) return sentence;
  return "this build is for sm_" BAREGRAD_ARCHITECTURES ", " + std::string(device.name) +
         " is sm_" + std::to_string(device.major * 10 + device.minor);
}

void bind_device(pybind11::module_& m) {
  m.def("why_absent", &why_absent, "Why no kernel can run here, or \"\".");
  m.attr("ARCHITECTURES") = BAREGRAD_ARCHITECTURES;
}

}  // namespace baregrad
