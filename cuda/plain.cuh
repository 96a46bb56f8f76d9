// Lets a product as tutorials write it fill the slot gemm: gemm_plain(m, n, k, a, b, c), which launches
// its kernels for row-major matrices in memory of the device, C = A B or C += A B. For own files only,
// which it is put in front of: it allocates, and waits for the device.
#include "launch.cuh"

namespace baregrad::plain {

struct Floats {
  float* data = nullptr;

  explicit Floats(int64_t count) { cudaMalloc(&data, size_t(count) * sizeof(float)); }
  Floats(const Floats&) = delete;
  ~Floats() { cudaFree(data); }
};

// x (rows, columns), any strides -> to (rows, columns), row-major
__global__ void pack_kernel(ConstMatrix x, int64_t rows, int64_t columns, float* to) {
  for (int64_t q = int64_t(blockIdx.x) * blockDim.x + threadIdx.x; q < rows * columns;
       q += int64_t(gridDim.x) * blockDim.x)
    to[q] = x.data[q / columns * x.row + q % columns * x.col];
}

// product (m, n), bias (n,) -> c (m, n) = alpha product + beta c + bias
__global__ void finish_kernel(const float* product, const float* bias, Matrix c, int64_t m,
                              int64_t n, float alpha, float beta) {
  for (int64_t q = int64_t(blockIdx.x) * blockDim.x + threadIdx.x; q < m * n;
       q += int64_t(gridDim.x) * blockDim.x) {
    float& out = c.data[q / n * c.row + q % n * c.col];
    out = alpha * product[q] + (beta != 0.f ? beta * out : 0.f) + (bias ? bias[q % n] : 0.f);
  }
}

inline int64_t gemm_workspace(GemmSize) { return 0; }

// a (batch, m, k), b (batch, k, n), bias (n,) -> c (batch, m, n) = alpha a b + beta c + bias
template <auto gemm_plain>
void gemm(ConstMatrix a, ConstMatrix b, const float* bias, Matrix c, GemmSize size, float alpha,
          float beta, void*, cudaStream_t stream) {
  const auto [batch, m, n, k] = size;
  if (m == 0 || n == 0) return;
  const auto pack = [&](ConstMatrix x, int64_t rows, int64_t columns, float* to) {
    if (const unsigned blocks = blocks_for(rows * columns, kThreads))
      pack_kernel<<<blocks, kThreads, 0, stream>>>(x, rows, columns, to);
  };
  for (int64_t s = 0; s < batch; ++s) {
    const Floats own_a(m * k), own_b(k * n), product(m * n);
    pack({a.data + s * a.batch, 0, a.row, a.col}, m, k, own_a.data);
    pack({b.data + s * b.batch, 0, b.row, b.col}, k, n, own_b.data);
    cudaMemsetAsync(product.data, 0, size_t(m * n) * sizeof(float), stream);
    cudaStreamSynchronize(stream);  // its kernels may run on any other
    gemm_plain(m, n, k, own_a.data, own_b.data, product.data);
    cudaDeviceSynchronize();
    const Matrix out = {c.data + s * c.batch, 0, c.row, c.col};
    finish_kernel<<<blocks_for(m * n, kThreads), kThreads, 0, stream>>>(product.data, bias, out, m,
                                                                        n, alpha, beta);
    cudaStreamSynchronize(stream);
  }
}

}  // namespace baregrad::plain
