// Adam (Kingma and Ba, 2015): both moments, both bias corrections and the step in one pass. AdamW
// (Loshchilov and Hutter, 2019) where the decay is decoupled.
#include "tensor_list.cuh"

namespace baregrad {
namespace {

struct Adam {
  float beta1, beta2, rest1, rest2, epsilon;
  double exact_beta1, exact_beta2;  // for beta^step: float32 would spoil 1 - beta2^step
  double weight_decay;
  bool decoupled;
};

// base^exponent by squaring
__device__ inline double power(double base, int64_t exponent) {
  double result = 1;
  for (; exponent > 0; exponent /= 2, base *= base)
    if (exponent % 2) result *= base;
  return result;
}

// grad (n,), learning_rate (1,), step (1,) -> param, m, v (n,) of every tensor, in place
__global__ void adam_step_kernel(SomeTensors<AdamTensor> some, const float* learning_rate,
                                 const int64_t* step, Adam adam) {
  // Once per block: double arithmetic is slow on most devices.
  __shared__ float rate, correction2, keep, decay;
  if (threadIdx.x == 0) {
    rate = float(*learning_rate / (1 - power(adam.exact_beta1, *step)));
    correction2 = float(1 / (1 - power(adam.exact_beta2, *step)));
    keep = adam.decoupled ? float(1 - *learning_rate * adam.weight_decay) : 1.f;
    decay = float(adam.weight_decay);
  }
  __syncthreads();
  const AdamTensor& tensor = some.tensor[blockIdx.y];
  const int64_t stride = int64_t(gridDim.x) * blockDim.x;
  for (int64_t i = int64_t(blockIdx.x) * blockDim.x + threadIdx.x; i < tensor.n; i += stride) {
    const float param = tensor.param[i] * keep;
    const float g = adam.decoupled ? tensor.grad[i] : tensor.grad[i] + decay * param;
    const float m = tensor.m[i] = adam.beta1 * tensor.m[i] + adam.rest1 * g;
    const float v = tensor.v[i] = adam.beta2 * tensor.v[i] + adam.rest2 * g * g;
    tensor.param[i] = param - rate * m / (sqrtf(v * correction2) + adam.epsilon);
  }
}

}  // namespace

void adam_step(const AdamTensor* tensors, int64_t count, const float* learning_rate,
               const int64_t* step, double beta1, double beta2, double epsilon, double weight_decay,
               bool decoupled, cudaStream_t stream) {
  const Adam adam = {float(beta1), float(beta2), float(1 - beta1), float(1 - beta2), float(epsilon),
                     beta1,        beta2,        weight_decay,     decoupled};
  for_tensors(tensors, count, [=](dim3 grid, const SomeTensors<AdamTensor>& some) {
    adam_step_kernel<<<grid, kThreads, 0, stream>>>(some, learning_rate, step, adam);
  });
}

}  // namespace baregrad
