// Stochastic gradient descent with momentum, plain or Nesterov's, in one pass.
#include "tensor_list.cuh"

namespace baregrad {
namespace {

// grad (n,), learning_rate (1,) -> param, velocity (n,) of every tensor, in place
__global__ void sgd_step_kernel(SomeTensors<SgdTensor> some, const float* learning_rate,
                                float momentum, float decay, bool nesterov) {
  const SgdTensor& tensor = some.tensor[blockIdx.y];
  const float rate = *learning_rate;
  const auto update = [=](float& param, float grad, float& velocity, bool first) {
    const float g = grad + decay * param;
    velocity = first ? g : momentum * velocity + g;
    param -= rate * (nesterov ? g + momentum * velocity : velocity);
  };
  for_fours(
      tensor.n, are_aligned(tensor.param, tensor.grad, tensor.velocity),
      [&](int64_t i) {
        float param[kFour], grad[kFour], velocity[kFour] = {};
        read_four(tensor.param + i, param);
        read_four(tensor.grad + i, grad);
        if (tensor.velocity) read_four(tensor.velocity + i, velocity);
        for (int e = 0; e < kFour; ++e) update(param[e], grad[e], velocity[e], !tensor.velocity);
        write_four(tensor.param + i, param);
        if (tensor.velocity) write_four(tensor.velocity + i, velocity);
      },
      [&](int64_t i) {
        float velocity = tensor.velocity ? tensor.velocity[i] : 0.f;
        update(tensor.param[i], tensor.grad[i], velocity, !tensor.velocity);
        if (tensor.velocity) tensor.velocity[i] = velocity;
      });
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
