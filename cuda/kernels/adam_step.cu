// Adam (Kingma and Ba, 2015): both moments, both bias corrections and the step in one pass.
#include "launch.cuh"

namespace baregrad {
namespace {

struct Adam {
  float beta1, beta2, rest1, rest2, epsilon, decay;
  double exact_beta1, exact_beta2;  // for beta^step: float32 would spoil 1 - beta2^step
};

// base^exponent by squaring
__device__ inline double power(double base, int64_t exponent) {
  double result = 1;
  for (; exponent > 0; exponent /= 2, base *= base)
    if (exponent % 2) result *= base;
  return result;
}

// grad (n,), learning_rate (1,), step (1,) -> param, m, v (n,), in place
__global__ void adam_step_kernel(float* param, const float* grad, float* m, float* v, int64_t n,
                                 const float* learning_rate, const int64_t* step, Adam adam) {
  __shared__ float rate, correction2;  // once per block: double arithmetic is slow on most devices
  if (threadIdx.x == 0) {
    rate = float(*learning_rate / (1 - power(adam.exact_beta1, *step)));
    correction2 = float(1 / (1 - power(adam.exact_beta2, *step)));
  }
  __syncthreads();
  const int64_t stride = int64_t(gridDim.x) * blockDim.x;
  for (int64_t i = int64_t(blockIdx.x) * blockDim.x + threadIdx.x; i < n; i += stride) {
    const float g = grad[i] + adam.decay * param[i];
    m[i] = adam.beta1 * m[i] + adam.rest1 * g;
    v[i] = adam.beta2 * v[i] + adam.rest2 * g * g;
    param[i] -= rate * m[i] / (sqrtf(v[i] * correction2) + adam.epsilon);
  }
}

}  // namespace

void adam_step(float* param, const float* grad, float* m, float* v, int64_t n,
               const float* learning_rate, const int64_t* step, double beta1, double beta2,
               double epsilon, double weight_decay, cudaStream_t stream) {
  if (n == 0) return;
  const Adam adam = {float(beta1),
                     float(beta2),
                     float(1 - beta1),
                     float(1 - beta2),
                     float(epsilon),
                     float(weight_decay),
                     beta1,
                     beta2};
  adam_step_kernel<<<blocks_for(n, kThreads), kThreads, 0, stream>>>(param, grad, m, v, n,
                                                                     learning_rate, step, adam);
}

}  // namespace baregrad
