// Rung 0: a launch for each tensor, and everything worked out by each thread. A network has tens of
// tensors and a launch costs microseconds; powers in float64 cost hundreds of instructions.
#include "../kernels/launch.cuh"

namespace {

using namespace baregrad;

// grad (n,), learning_rate (1,), step (1,) -> param, m, v (n,), in place
__global__ void adam_step_naive_kernel(AdamTensor tensor, const float* learning_rate,
                                       const int64_t* step, double beta1, double beta2,
                                       double epsilon, double weight_decay, bool decoupled) {
  const int64_t i = int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= tensor.n) return;
  const double rate = *learning_rate;
  float param = tensor.param[i], g = tensor.grad[i];
  if (decoupled)
    param *= float(1 - rate * weight_decay);
  else
    g += float(weight_decay) * param;
  const float m = float(beta1) * tensor.m[i] + float(1 - beta1) * g;
  const float v = float(beta2) * tensor.v[i] + float(1 - beta2) * g * g;
  const float correction1 = float(1 / (1 - pow(beta1, double(*step))));
  const float correction2 = float(1 / (1 - pow(beta2, double(*step))));
  tensor.param[i] =
      param - float(rate) * (m * correction1) / (sqrtf(v * correction2) + float(epsilon));
  tensor.m[i] = m;
  tensor.v[i] = v;
}

void adam_step(const AdamTensor* tensors, int64_t count, const float* learning_rate,
               const int64_t* step, double beta1, double beta2, double epsilon, double weight_decay,
               bool decoupled, cudaStream_t stream) {
  for (int64_t t = 0; t < count; ++t) {
    const unsigned blocks = unsigned(divide_up(tensors[t].n, kThreads));
    if (blocks == 0) continue;
    adam_step_naive_kernel<<<blocks, kThreads, 0, stream>>>(
        tensors[t], learning_rate, step, beta1, beta2, epsilon, weight_decay, decoupled);
  }
}

}  // namespace

void baregrad_plugin(baregrad::Kernels* table) { table->adam_step = adam_step; }
