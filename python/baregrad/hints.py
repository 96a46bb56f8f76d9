"""What to write instead of a name that Tensor does not have."""

INSTEAD = {
    "bmm": "x @ y",
    "copy": "x.clone()",
    "cuda": 'x.to("cuda"), where bg.cuda.is_available()',
    "gather": "x[rows, columns], with arrays of integers",
    "half": "x.float()",
    "index_select": "x[:, rows]",
    "int": "x.long()",
    "masked_fill": "bg.where(mask, value, x)",
    "new_zeros": "bg.zeros(shape, dtype=x.dtype, device=x.device)",
    "nonzero": "x.numpy().nonzero()",
    "norm": "(x * x).sum().sqrt()",
    "repeat": "bg.cat([x] * n)",
    "scatter_": "x[rows, columns] = values",
    "square": "x ** 2",
    "topk": "x.numpy().argsort()",
    "type": "x.to(dtype)",
    "where": "bg.where(condition, x, y)",
}
