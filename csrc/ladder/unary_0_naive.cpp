// Rung 0: the formula of each kind, in double and with the C library's functions.
#include <math.h>

#include "../kernels.h"

namespace {

using namespace baregrad;

double sigmoid(double x) { return 1 / (1 + exp(-x)); }
double sign(double x) { return x > 0 ? 1 : x < 0 ? -1 : x == 0 ? 0 : x; }
// Where a factor is 0 to float32 and the other may be infinite.
double within(double x, double most) { return x > most ? most : x < -most ? -most : x; }

// clang-format off
double formula(UnaryKind kind, double x, double alpha) {
  switch (kind) {
    case unary_relu: return x <= 0 ? 0 : x;
    case unary_leaky_relu: return x > 0 ? x : alpha * x;
    case unary_elu: return x > 0 ? x : alpha * expm1(x);
    case unary_gelu: return x < -20 ? -0.0 : x * erfc(-x * M_SQRT1_2) / 2;
    case unary_silu: return x < -200 ? -0.0 : x * sigmoid(x);
    case unary_sigmoid: return sigmoid(x);
    case unary_tanh: return tanh(x);
    case unary_softplus: return x > 0 ? x + log1p(exp(-x)) : log1p(exp(x));
    case unary_exp: return exp(x);
    case unary_log: return log(x);
    case unary_sqrt: return sqrt(x);
    case unary_abs: return fabs(x);
    case unary_neg: return -x;
    case unary_sign: return sign(x);
  }
  __builtin_unreachable();
}

// saved is out where the derivative is simpler of it, else x (kernels.h says which).
double gradient(UnaryKind kind, double saved, double dout, double alpha) {
  const double x = saved, out = saved;
  switch (kind) {
    case unary_relu: return out <= 0 ? 0 : dout;
    case unary_leaky_relu: return (x > 0 ? 1 : alpha) * dout;
    case unary_elu: return (x > 0 ? 1 : alpha * exp(x)) * dout;
    case unary_gelu: {
      const double z = within(x, 20);
      return (erfc(-z * M_SQRT1_2) / 2 + z * exp(-z * z / 2) * M_SQRT1_2 * M_2_SQRTPI / 2) * dout;
    }
    case unary_silu: {
      const double z = within(x, 200);
      return sigmoid(z) * (1 + z * sigmoid(-z)) * dout;
    }
    case unary_sigmoid: return out * (1 - out) * dout;
    case unary_tanh: return (1 - out * out) * dout;
    case unary_softplus: return sigmoid(x) * dout;
    case unary_exp: return out * dout;
    case unary_log: return dout / x;
    case unary_sqrt: return dout / (2 * out);
    case unary_abs: return sign(x) * dout;
    case unary_neg: return -dout;
    case unary_sign: return 0;
  }
  __builtin_unreachable();
}

// clang-format on

// x (n,) -> out (n,)
void unary_forward(UnaryKind kind, const float* x, float* out, int64_t n, float alpha) {
  for (int64_t i = 0; i < n; ++i) out[i] = float(formula(kind, x[i], alpha));
}

// saved (n,), dout (n,) -> dx (n,)
void unary_backward(UnaryKind kind, const float* saved, const float* dout, float* dx, int64_t n,
                    float alpha) {
  for (int64_t i = 0; i < n; ++i) dx[i] = float(gradient(kind, saved[i], dout[i], alpha));
}

}  // namespace

void baregrad_plugin(baregrad::Kernels* table) {
  table->unary_forward = unary_forward;
  table->unary_backward = unary_backward;
}
