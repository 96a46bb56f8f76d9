"""Lecture 000, slide 33: fourteen operations in NumPy's spelling and in PyTorch's."""

import baregrad as torch
import numpy

array = numpy.array([[1.0, 2.0], [3.0, 4.0]], numpy.float32)
tensor = torch.tensor([[1.0, 2.0], [3.0, 4.0]])

rows = [
    ("creation", array, tensor),
    ("dimensions", array.ndim, tensor.dim()),
    ("shape", array.shape, tensor.size()),
    ("sum", numpy.sum(array), torch.sum(tensor)),
    ("mean", numpy.mean(array), torch.mean(tensor)),
    # The one row where the two differ: NumPy divides by n, PyTorch by n - 1.
    ("standard deviation", numpy.std(array, ddof=1), torch.std(tensor)),
    ("element-wise sum", array + array, tensor + tensor),
    ("element-wise product", array * array, tensor * tensor),
    ("matrix product", numpy.dot(array, array), torch.matmul(tensor, tensor)),
    ("reshape", array.reshape(4), tensor.view(4)),
    ("transpose", array.T, tensor.t()),
    ("largest", numpy.max(array), torch.max(tensor)),
    ("smallest", numpy.min(array), torch.min(tensor)),
    ("concatenate", numpy.concatenate([array, array], axis=1), torch.cat([tensor, tensor], dim=1)),
]
for name, of_numpy, of_torch in rows:
    equal = numpy.allclose(numpy.asarray(of_numpy), numpy.asarray(of_torch), rtol=1e-6)
    print(f"{name:<22}{'the same' if equal else 'DIFFERENT'}")
