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

// One element: param, m and v as they become.
__device__ inline void update(float& param, float grad, float& m, float& v, const Adam& adam,
                              float rate, float correction2, float keep, float decay) {
  param *= keep;
  const float g = adam.decoupled ? grad : grad + decay * param;
  m = adam.beta1 * m + adam.rest1 * g;
  v = adam.beta2 * v + adam.rest2 * g * g;
  param -= rate * m / (sqrtf(v * correction2) + adam.epsilon);
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
  for_fours(
      tensor.n, are_aligned(tensor.param, tensor.grad, tensor.m, tensor.v),
      [&](int64_t i) {
        float param[kFour], grad[kFour], m[kFour], v[kFour];
        read_four(tensor.param + i, param);
        read_four(tensor.grad + i, grad);
        read_four(tensor.m + i, m);
        read_four(tensor.v + i, v);
        for (int e = 0; e < kFour; ++e)
          update(param[e], grad[e], m[e], v[e], adam, rate, correction2, keep, decay);
        write_four(tensor.param + i, param);
        write_four(tensor.m + i, m);
        write_four(tensor.v + i, v);
      },
      [&](int64_t i) {
        update(tensor.param[i], tensor.grad[i], tensor.m[i], tensor.v[i], adam, rate, correction2,
               keep, decay);
      });
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
