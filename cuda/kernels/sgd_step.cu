// Stochastic gradient descent with momentum, plain or Nesterov's, in one pass.
#include "tensor_list.cuh"

namespace baregrad {
namespace {

// grad (n,), learning_rate (1,) -> param, velocity (n,) of every tensor, in place
__global__ void sgd_step_kernel(SomeTensors<SgdTensor> some, const float* learning_rate,
                                float momentum, float decay, bool nesterov) {
  const SgdTensor& tensor = some.tensor[blockIdx.y];
  const int64_t stride = int64_t(gridDim.x) * blockDim.x;
  for (int64_t i = int64_t(blockIdx.x) * blockDim.x + threadIdx.x; i < tensor.n; i += stride) {
    const float g = tensor.grad[i] + decay * tensor.param[i];
    float v = g;
    if (tensor.velocity) tensor.velocity[i] = v = momentum * tensor.velocity[i] + g;
    tensor.param[i] -= *learning_rate * (nesterov ? g + momentum * v : v);
  }
}

}  // namespace

void sgd_step(const SgdTensor* tensors, int64_t count, const float* learning_rate, double momentum,
              double weight_decay, bool nesterov, cudaStream_t stream) {
  for_tensors(tensors, count, [=](dim3 grid, const SomeTensors<SgdTensor>& some) {
    sgd_step_kernel<<<grid, kThreads, 0, stream>>>(some, learning_rate, float(momentum),
                                                   float(weight_decay), nesterov);
  });
}

}  // namespace baregrad
