"""One call with bad input, or more, of every public name: the exception, and how its sentence goes on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, NamedTuple

import baregrad as bg
import numpy as np
from baregrad import keras, nn, optim, train
from baregrad.nn import functional as F  # noqa: N812
from baregrad.optim import lr_scheduler
from baregrad.utils.data import DataLoader, TensorDataset


class Bad(NamedTuple):
    """A public name, a call of it, the type of the exception and a part of its sentence."""

    name: str
    call: Callable[[], Any]
    error: type[Exception]
    sentence: str


def x(*shape: int) -> bg.Tensor:
    return bg.ones(shape or (2, 3))


def graph(*shape: int) -> bg.Tensor:
    return x(*shape).requires_grad_() * 2


def parameters() -> list[nn.Parameter]:
    return [nn.Parameter(np.ones(2, np.float32))]


def sgd() -> optim.SGD:
    return optim.SGD(parameters(), lr=0.1)


def exponential() -> lr_scheduler.ExponentialLR:
    return lr_scheduler.ExponentialLR(sgd(), 0.5)


def compiled() -> keras.Sequential:
    model = keras.Sequential([keras.Dense(2, input_dim=3)])
    model.compile("sgd", "mse")
    return model


def loader() -> DataLoader:
    return DataLoader(TensorDataset(x(4, 3), np.zeros(4, np.int64)), 2)


INTEGERS = bg.tensor([0, 1])
NOWHERE = Path(mkdtemp()) / "none"
NOT_TENSOR = "is a list, expected a Tensor: use bg.tensor"


def whole(op: str, name: str = "x") -> str:
    return f"[{op}] {name} {NOT_TENSOR}"


# What takes a tensor first and checks it so.
OF_X = (
    "abs", "all", "amax", "amin", "any", "argmax", "argmin", "clone", "exp", "log", "max", "mean", "min",
    "neg", "sign", "sqrt", "squeeze", "std", "sum", "t", "var",
)  # fmt: skip
OF_TWO = ("div", "eq", "maximum", "minimum", "mul", "pow")
OF_INPUT = ("relu", "sigmoid", "tanh", "flatten")
ACTIVATIONS = (
    "ELU",
    "GELU",
    "Identity",
    "LeakyReLU",
    "ReLU",
    "SiLU",
    "Sigmoid",
    "Softplus",
    "Tanh",
)
_OPS = {"LeakyReLU": "leaky_relu", "Identity": "Identity"}
PAIRED = {
    "BCELoss": "binary_cross_entropy", "BCEWithLogitsLoss": "binary_cross_entropy_with_logits",
    "HuberLoss": "huber_loss", "L1Loss": "l1_loss", "MSELoss": "mse_loss", "SmoothL1Loss": "smooth_l1_loss",
}  # fmt: skip
FILLED = ("ones", "zeros", "rand", "randn")


def families() -> list[Bad]:
    rows = [Bad(f"bg.{n}", lambda n=n: getattr(bg, n)([1.0]), TypeError, whole(n)) for n in OF_X]
    rows += [
        Bad(f"bg.{n}", lambda n=n: getattr(bg, n)(x(), [1.0]), TypeError, whole(n, "b"))
        for n in OF_TWO
    ]
    rows += [
        Bad(f"bg.{n}", lambda n=n: getattr(bg, n)([1.0]), TypeError, whole(n, "input"))
        for n in OF_INPUT
    ]
    rows += [
        Bad(f"nn.{n}", lambda n=n: getattr(nn, n)()([1.0]), TypeError, whole(_OPS.get(n, n.lower()), "input"))
        for n in ACTIVATIONS
    ]  # fmt: skip
    for n, op in PAIRED.items():
        wrong = f"[{op}] target has shape (3, 2), expected (2, 3) like input"
        rows += [
            Bad(f"nn.{n}", lambda n=n: getattr(nn, n)(reduction="all"), ValueError, f"[{n}] reduction is 'all', expected"),
            Bad(f"nn.{n}", lambda n=n: getattr(nn, n)()(x(), x(3, 2)), ValueError, wrong),
            Bad(f"nn.functional.{op}", lambda op=op: getattr(F, op)(x(), x(3, 2)), ValueError, wrong),
            Bad(f"nn.functional.{op}", lambda op=op: getattr(F, op)([1.0], x()), TypeError, whole(op, "input")),
        ]  # fmt: skip
    for n in FILLED:
        rows += [
            Bad(f"bg.{n}", lambda n=n: getattr(bg, n)(2.5), TypeError, f"[{n}] size is (2.5,), expected integers"),
            Bad(f"bg.{n}", lambda n=n: getattr(bg, n)(2, dtype="text"), TypeError, f"[{n}] dtype is 'text', expected float32"),
            Bad(f"bg.{n}", lambda n=n: getattr(bg, n)(2, device=[]), TypeError, "[device] device is a list, expected one of"),
        ]  # fmt: skip
    for n in ("ones_like", "zeros_like", "rand_like", "randn_like"):
        rows.append(Bad(f"bg.{n}", lambda n=n: getattr(bg, n)([1.0]), TypeError, whole(n)))
    for n in ("uniform_", "normal_", "zeros_", "ones_"):
        op = "constant_" if n in ("zeros_", "ones_") else n
        rows.append(
            Bad(f"nn.init.{n}", lambda n=n: getattr(nn.init, n)([1.0]), TypeError, whole(op, "tensor"))
        )  # fmt: skip
    for n in ("xavier_uniform_", "xavier_normal_", "kaiming_uniform_", "kaiming_normal_"):
        rows.append(
            Bad(f"nn.init.{n}", lambda n=n: getattr(nn.init, n)(x(3)), ValueError, "[init] tensor has shape (3,), expected (o, c, ...)")
        )  # fmt: skip
    return rows


# fmt: off
SINGLE = [
    Bad("bg.Tensor", lambda: bg.Tensor("text"), TypeError, "[Tensor] data has dtype <U4, expected float32"),
    Bad("bg.add", lambda: bg.add(1, 2), TypeError, "[add] a is an int, expected a Tensor"),
    Bad("bg.add", lambda: bg.add(x(), x(), alpha="2"), TypeError, "[add] alpha is a str, expected a number"),
    Bad("bg.sub", lambda: bg.sub(x(), [1.0], alpha=2), TypeError, "[sub] an operand is a list, expected a Tensor"),
    Bad("bg.mul", lambda: x(2, 3) * x(4), ValueError, "[mul] shapes (2, 3) and (4,) do not broadcast together"),
    Bad("bg.var", lambda: bg.var(x(), correction="1"), TypeError, "[var] correction is a str, expected a number"),
    Bad("bg.mean", lambda: bg.mean(INTEGERS), TypeError, "[mean] x has dtype int64, expected float32"),
    Bad("bg.sum", lambda: bg.sum(x(), 2), IndexError, "[sum] dim is 2, expected -2 <= dim < 2"),
    Bad("bg.argmax", lambda: bg.argmax(x(), 1.5), TypeError, "[argmax] dim is a float, expected an integer"),
    Bad("bg.max", lambda: bg.max(x(), axis=0, dim=0), TypeError, "[max] there are both dim and axis"),
    Bad("bg.amax", lambda: bg.amax(x(0, 3), 0), ValueError, "[reduce_max]"),
    Bad("bg.arange", lambda: bg.arange("3"), TypeError, "[arange] end is a str, expected a number"),
    Bad("bg.arange", lambda: bg.arange(0, 3, 0), ValueError, "[arange] step is 0, expected another number"),
    Bad("bg.arange", lambda: bg.arange(float("nan")), ValueError, "[arange] end is nan, expected a finite number"),
    Bad("bg.as_tensor", lambda: bg.as_tensor("text"), TypeError, "[tensor] data has dtype <U4"),
    Bad("bg.cat", lambda: bg.cat(3), TypeError, "[cat] tensors is an int, expected a list"),
    Bad("bg.cat", lambda: bg.cat([]), ValueError, "[cat] there are no tensors, expected at least one"),
    Bad("bg.stack", lambda: bg.stack([x(), x(2)]), ValueError, "[stack] tensors[1] has shape (2,), expected (2, 3)"),
    Bad("bg.stack", lambda: bg.stack([x()], dim="0"), TypeError, "[stack] dim is a str, expected an integer"),
    Bad("bg.chunk", lambda: bg.chunk(x(), 0), ValueError, "[chunk] chunks is 0, expected at least 1"),
    Bad("bg.chunk", lambda: bg.chunk(bg.tensor(1.0), 2), ValueError, "[chunk] x has shape (), expected at least one axis"),
    Bad("bg.clamp", lambda: bg.clamp(x()), ValueError, "[clamp] there is neither min nor max, expected"),
    Bad("bg.clamp", lambda: bg.clamp([1.0], 0), TypeError, whole("clamp")),
    Bad("bg.device", lambda: bg.device("gpu"), ValueError, "[device] device is 'gpu', expected one of cpu"),
    Bad("bg.device", lambda: bg.device(x()), TypeError, "[device] device is a Tensor, expected one of cpu"),
    Bad("bg.dot", lambda: bg.dot(x(3), x(2, 3)), ValueError, "[dot] operands have shapes (3,) and (2, 3), expected two vectors or two matrices"),
    Bad("bg.matmul", lambda: bg.matmul(x(), [1.0]), TypeError, "[matmul] an operand is a list, expected a Tensor"),
    Bad("bg.matmul", lambda: x() @ x(), ValueError, "[matmul] b has shape (2, 3), expected (3, n)"),
    Bad("bg.mm", lambda: bg.mm(x(3), x(3)), ValueError, "[mm] operands have shapes (3,) and (3,), expected two matrices"),
    Bad("bg.eye", lambda: bg.eye(2, 1.5), TypeError, "[eye] m is a float, expected an integer"),
    Bad("bg.flatten", lambda: bg.flatten(x(), 1, 0), ValueError, "[flatten] start_dim is 1, expected one before 0"),
    Bad("bg.flip", lambda: bg.flip([1.0], 0), TypeError, whole("flip")),
    Bad("bg.flip", lambda: bg.flip(x(), (0, 0)), ValueError, "[flip] dim is (0, 0), expected different dimensions"),
    Bad("bg.from_dlpack", lambda: bg.from_dlpack([1.0]), TypeError, "[from_dlpack] source is a list, expected what has __dlpack__"),
    Bad("bg.from_numpy", lambda: bg.from_numpy([1.0]), TypeError, "[from_numpy] array is a list, expected a NumPy array"),
    Bad("bg.full", lambda: bg.full((2,), "1"), TypeError, "[full] fill_value is a str, expected a number"),
    Bad("bg.full", lambda: bg.full((-2,), 1), ValueError, "[full] size is (-2,), expected lengths of at least 0"),
    Bad("bg.linspace", lambda: bg.linspace(0, 1, -1), ValueError, "[linspace] steps is -1, expected at least 0"),
    Bad("bg.linspace", lambda: bg.linspace([0], 1, 2), TypeError, "[linspace] start is a list, expected a number"),
    Bad("bg.load", lambda: bg.load(NOWHERE), FileNotFoundError, "none"),
    Bad("bg.softmax", lambda: bg.softmax([1.0], 0), TypeError, whole("softmax")),
    Bad("bg.log_softmax", lambda: bg.log_softmax([1.0], 0), TypeError, whole("log_softmax")),
    Bad("bg.log_softmax", lambda: bg.log_softmax(x(), None), TypeError, "[log_softmax] dim is a NoneType, expected an integer"),
    Bad("bg.manual_seed", lambda: bg.manual_seed("1"), TypeError, "[manual_seed] seed is a str, expected an integer"),
    Bad("bg.manual_seed", lambda: bg.manual_seed(-1), ValueError, "[manual_seed] seed is -1, expected at least 0"),
    Bad("bg.permute", lambda: bg.permute(x(), 0, 0), ValueError, "[permute] dims is (0, 0), expected each of 2 dimensions once"),
    Bad("bg.rand", lambda: bg.rand(2, dtype=bg.int64), TypeError, "[rand] dtype is int64, expected float32 or float64"),
    Bad("bg.randint", lambda: bg.randint(3, 3, (2,)), ValueError, "[randint] low is 3 and high 3, expected low < high"),
    Bad("bg.randint", lambda: bg.randint(0, 3), TypeError, "[randint] there is no size, expected a shape"),
    Bad("bg.randperm", lambda: bg.randperm(-1), ValueError, "[randperm] n is -1, expected at least 0"),
    Bad("bg.reshape", lambda: bg.reshape(x(), 4), ValueError, "[reshape] x has shape (2, 3), whose 6 elements do not fit (4,)"),
    Bad("bg.reshape", lambda: bg.reshape(x(), -1, -1), ValueError, "[reshape] shape is (-1, -1), expected lengths"),
    Bad("bg.save", lambda: bg.save(3, NOWHERE), TypeError, "[save] obj is an int, expected a Module or a mapping"),
    Bad("bg.save", lambda: bg.save({}, NOWHERE, metadata=["a"]), TypeError, "[save] metadata is a list, expected a dict"),
    Bad("bg.set_grad_enabled", lambda: bg.set_grad_enabled("no"), TypeError, "[set_grad_enabled] mode is a str, expected a bool"),
    Bad("bg.set_num_threads", lambda: bg.set_num_threads(1.5), TypeError, "[set_num_threads] count is 1.5, expected an integer"),
    Bad("bg.set_num_threads", lambda: bg.set_num_threads(0), ValueError, "[set_num_threads] count is 0, expected 1"),
    Bad("bg.split", lambda: bg.split(x(), [1, 2]), ValueError, "[split] the sizes are (1, 2), expected a sum of 2"),
    Bad("bg.tensor", lambda: bg.tensor([1j]), TypeError, "[tensor] data has dtype complex128, expected float32"),
    Bad("bg.tensor", lambda: bg.tensor([1.0], device=3), TypeError, "[device] device is an int, expected one of"),
    Bad("bg.transpose", lambda: bg.transpose(x(), 0, 2), IndexError, "[transpose] dim is 2, expected -2 <= dim < 2"),
    Bad("bg.unsqueeze", lambda: bg.unsqueeze(x(), 3), IndexError, "[unsqueeze] dim is 3, expected -3 <= dim < 3"),
    Bad("bg.autocast", lambda: bg.autocast("sim", "float16"), ValueError, "[autocast] dtype is 'float16', expected bfloat16, tf32 or"),
    Bad("bg.autocast", lambda: bg.autocast("tpu"), ValueError, "[device] device is 'tpu', expected one of cpu"),
    Bad("bg.use", lambda: bg.use("gpu"), ValueError, "[use] table is 'gpu', expected cpu, reference"),
    Bad("bg.use", lambda: bg.use(isa=3), TypeError, "[use] isa is an int, expected text"),
    Bad("bg.where", lambda: bg.where(x(), x(), x()), TypeError, "[where] condition has dtype float32, expected bool"),
    Bad("bg.where", lambda: bg.where(x() > 0, [1], 2), TypeError, whole("where", "a")),
    Bad("bg.Tensor.add_", lambda: x().add_(x(4)), ValueError, "[add] shapes (2, 3) and (4,) do not broadcast together"),
    Bad("bg.Tensor.sub_", lambda: x().sub_(x(), alpha=[]), TypeError, "[sub_] alpha is a list, expected a number"),
    Bad("bg.Tensor.mul_", lambda: INTEGERS.mul_(1.5), TypeError, "[mul_] the result has dtype float32, expected int64"),
    Bad("bg.Tensor.div_", lambda: INTEGERS.div_(2), TypeError, "[div_] the tensor has dtype int64, expected float32"),
    Bad("bg.Tensor.clamp_", lambda: x().clamp_("0"), TypeError, "[lt] b is a str, expected a Tensor"),
    Bad("bg.Tensor.copy_", lambda: x().copy_(x(2)), ValueError, "[setitem] value has shape (2,), expected (2, 3)"),
    Bad("bg.Tensor.fill_", lambda: x().fill_("1"), TypeError, "[setitem] value is a str, expected a Tensor"),
    Bad("bg.Tensor.expand", lambda: x().expand(4, 3), ValueError, "[expand] the tensor has shape (2, 3), which does not fit (4, 3)"),
    Bad("bg.Tensor.view", lambda: x().view(5), ValueError, "[view] x has shape (2, 3), whose 6 elements do not fit (5,)"),
    Bad("bg.Tensor.view", lambda: x().T.view(6), RuntimeError, "[view] the tensor, (3, 2), is not contiguous, expected x.reshape"),
    Bad("bg.Tensor.to", lambda: x().to("gpu"), ValueError, "[device] device is 'gpu', expected one of cpu"),
    Bad("bg.Tensor.to", lambda: x().to(dtype=3), TypeError, "[to] dtype is 3, expected float32"),
    Bad("bg.Tensor.size", lambda: x().size(2), IndexError, "[size] dim is 2, expected -2 <= dim < 2"),
    Bad("bg.Tensor.backward", lambda: graph().backward(), RuntimeError, "[backward] the tensor has shape (2, 3), expected one element"),
    Bad("bg.Tensor.backward", lambda: graph().backward([1.0]), TypeError, whole("backward", "gradient")),
    Bad("bg.Tensor.backward", lambda: graph().backward(x(3)), ValueError, "[backward] gradient is float32 (3,), expected float32 (2, 3)"),
    Bad("bg.Tensor.register_hook", lambda: graph().register_hook(3), TypeError, "[register_hook] hook is an int, expected a function"),
    Bad("bg.Tensor.requires_grad_", lambda: INTEGERS.requires_grad_(), TypeError, "[requires_grad_] dtype is int64, expected float32"),
    Bad("autograd.Variable", lambda: bg.autograd.Variable([1.0]), TypeError, whole("Variable", "data")),
    Bad("autograd.grad", lambda: bg.autograd.grad([1.0], x()), TypeError, "[grad] outputs[0] is a float, expected a Tensor"),
    Bad("autograd.grad", lambda: bg.autograd.grad(graph(1), x()), RuntimeError, "[grad] inputs[0] does not require grad"),
    Bad("autograd.gradcheck", lambda: bg.autograd.gradcheck(3, x()), TypeError, "[gradcheck] f is an int, expected a function"),
    Bad("autograd.gradcheck", lambda: bg.autograd.gradcheck(bg.exp, x(), eps=-1), ValueError, "[gradcheck] eps is -1, expected 0 <= eps"),
    Bad("data.cifar100", lambda: bg.data.cifar100(NOWHERE), FileNotFoundError, "[cifar100] its files are not in"),
    Bad("data.mnist", lambda: bg.data.mnist(NOWHERE), FileNotFoundError, "[mnist] its files are not in"),
    Bad("data.digits", lambda: bg.data.digits(1.5), ValueError, "[digits] test_fraction is 1.5, expected 0 < fraction < 1"),
    Bad("data.digits", lambda: bg.data.digits("some"), TypeError, "[digits] test_fraction is a str, expected a number"),
    Bad("data.digits", lambda: bg.data.digits(seed=-1), ValueError, "[digits] seed is -1, expected at least 0"),
    Bad("data.from_csv", lambda: bg.data.from_csv(NOWHERE, "y"), FileNotFoundError, "none"),
    Bad("data.from_npz", lambda: bg.data.from_npz(NOWHERE), FileNotFoundError, "none"),
    Bad("data.Splits.of", lambda: bg.data.Splits.of([(x(3), x(2))] * 3), ValueError, "[TensorDataset] tensors[1] has shape (2,), expected (3, ...)"),
    Bad("keras.SGD", lambda: keras.SGD(lr=1, learning_rate=1), TypeError, "[SGD] lr and learning_rate are two names of one argument"),
    Bad("keras.Adam", lambda: keras.Adam(lr=1, learning_rate=1), TypeError, "[Adam] lr and learning_rate are two names of one"),
    Bad("keras.Activation", lambda: keras.Activation("step"), ValueError, "[Activation] activation is 'step', expected one of elu"),
    Bad("keras.Activation", lambda: keras.Activation([]), TypeError, "[Activation] activation is a list, expected a name"),
    Bad("keras.Dense", lambda: keras.Dense(0), ValueError, "[Dense] units is 0, expected at least 1"),
    Bad("keras.Dense", lambda: keras.Dense(2, input_dim=1.5), TypeError, "[Dense] input_shape is a float, expected an integer"),
    Bad("keras.Dense.build", lambda: keras.Dense(2).build((2, 3)), ValueError, "[Dense] a sample has shape (2, 3), expected (k,)"),
    Bad("keras.Dropout", lambda: keras.Dropout(2), ValueError, "[Dropout] rate is 2, expected 0 <= rate <= 1"),
    Bad("keras.Flatten", lambda: keras.Flatten(input_shape=3), TypeError, "[Flatten] input_shape is an int, expected a list"),
    Bad("keras.Conv2D", lambda: keras.Conv2D(1, 0), ValueError, "[Conv2D] kernel_size is (0, 0), expected 2 integers of at least 1"),
    Bad("keras.Conv2D", lambda: keras.Conv2D(1, 3, padding="some"), ValueError, "[Conv2D] padding is 'some', expected 'valid' or 'same'"),
    Bad("keras.Conv2D.build", lambda: keras.Conv2D(1, 3).build((3,)), ValueError, "[Conv2D] a sample has shape (3,), expected (height"),
    Bad("keras.Convolution2D", lambda: keras.Convolution2D("1", 3, 3), TypeError, "[Conv2D] filters is a str, expected an integer"),
    Bad("keras.MaxPooling2D", lambda: keras.MaxPooling2D(-1), ValueError, "[MaxPooling2D] pool_size is (-1, -1), expected 2 integers"),
    Bad("keras.MaxPooling2D.build", lambda: keras.MaxPooling2D().build((3,)), ValueError, "[MaxPooling2D] a sample has shape (3,)"),
    Bad("keras.Sequential", lambda: keras.Sequential(3), TypeError, "[Sequential] layers is an int, expected a list"),
    Bad("keras.Sequential.add", lambda: keras.Sequential().add(nn.ReLU()), TypeError, "[Sequential.add] layer is a ReLU, expected a Keras layer"),
    Bad("keras.Sequential.build", lambda: keras.Sequential().build(3), TypeError, "[Sequential.build] input_shape is an int, expected a list"),
    Bad("keras.Sequential.compile", lambda: keras.Sequential().compile("sgd", "mee"), ValueError, "[Sequential.compile] loss is 'mee', expected one of"),
    Bad("keras.Sequential.compile", lambda: keras.Sequential().compile("sgd", "mse", 3), TypeError, "[Sequential.compile] metrics is an int, expected a list"),
    Bad("keras.Sequential.evaluate", lambda: compiled().evaluate(x(4, 2), x(4, 2)), ValueError, "[Sequential] a sample has shape (2,), expected (3,) as told"),
    Bad("keras.Sequential.fit", lambda: compiled().fit(["a"], [1]), TypeError, "[Sequential.fit] x has dtype <U1, expected numbers"),
    Bad("keras.Sequential.fit", lambda: compiled().fit(x(2, 3), x(2, 2), validation_data=[1]), ValueError, "[Sequential.fit] validation_data has 1 parts, expected (x, y)"),
    Bad("keras.Sequential.predict", lambda: compiled().predict(x(2, 3), "2"), TypeError, "[Sequential.predict] batch_size is a str, expected an integer"),
    Bad("keras.Sequential.save", lambda: compiled().save("a.h5"), ValueError, "[Sequential.save] path is 'a.h5', expected one that ends in .safetensors"),
    Bad("keras.load_model", lambda: keras.load_model(NOWHERE), FileNotFoundError, "none"),
    Bad("keras.to_categorical", lambda: keras.to_categorical([0.5]), TypeError, "[to_categorical] y is float64 (1,), expected integers (n,)"),
    Bad("keras.to_categorical", lambda: keras.to_categorical([3], 2), ValueError, "[to_categorical] y has labels outside [0, 2)"),
    Bad("nn.ELU", lambda: nn.ELU("1"), TypeError, "[ELU] alpha is a str, expected a number"),
    Bad("nn.LeakyReLU", lambda: nn.LeakyReLU(None), TypeError, "[LeakyReLU] negative_slope is a NoneType, expected a number"),
    Bad("nn.ELU.forward", lambda: nn.ReLU().forward([1.0]), TypeError, whole("relu", "input")),
    Bad("nn.AvgPool2d", lambda: nn.AvgPool2d(0), ValueError, "[AvgPool2d] kernel_size is (0, 0), expected 2 integers of at least 1"),
    Bad("nn.MaxPool2d", lambda: nn.MaxPool2d(2, padding=-1), ValueError, "[MaxPool2d] padding is (-1, -1), expected 2 integers of at least 0"),
    Bad("nn.BCEWithLogitsLoss", lambda: nn.BCEWithLogitsLoss(pos_weight=[1.0]), TypeError, "[register_buffer] pos_weight is a list, expected a Tensor"),
    Bad("nn.HuberLoss", lambda: nn.HuberLoss(delta=-1), ValueError, "[HuberLoss] delta is -1, expected 0 <= delta"),
    Bad("nn.SmoothL1Loss", lambda: nn.SmoothL1Loss(beta="1"), TypeError, "[SmoothL1Loss] beta is a str, expected a number"),
    Bad("nn.BatchNorm1d", lambda: nn.BatchNorm1d(0), ValueError, "[BatchNorm1d] num_features is 0, expected at least 1"),
    Bad("nn.BatchNorm1d", lambda: nn.BatchNorm1d(3, momentum=2), ValueError, "[BatchNorm1d] momentum is 2, expected 0 <= momentum <= 1"),
    Bad("nn.BatchNorm1d.forward", lambda: nn.BatchNorm1d(3)(x(2)), ValueError, "[BatchNorm1d] input has shape (2,), expected (n, 3) or (n, 3, l)"),
    Bad("nn.BatchNorm2d", lambda: nn.BatchNorm2d(3, eps="0"), TypeError, "[BatchNorm2d] eps is a str, expected a number"),
    Bad("nn.Conv2d", lambda: nn.Conv2d(2, 3, 3, groups=2), ValueError, "[Conv2d] groups is 2, expected a divisor of out_channels, 3"),
    Bad("nn.Conv2d", lambda: nn.Conv2d(2, 3, 3, stride=0), ValueError, "[Conv2d] stride is (0, 0), expected 2 integers of at least 1"),
    Bad("nn.Conv2d.forward", lambda: nn.Conv2d(2, 3, 3)(x(1, 3, 5, 5)), ValueError, "[conv2d] x has shape (1, 3, 5, 5), expected (n, 2, h, w)"),
    Bad("nn.CrossEntropyLoss", lambda: nn.CrossEntropyLoss(label_smoothing=2), ValueError, "[CrossEntropyLoss] label_smoothing is 2, expected 0 <="),
    Bad("nn.NLLLoss", lambda: nn.NLLLoss(ignore_index=0.5), TypeError, "[NLLLoss] ignore_index is a float, expected an integer"),
    Bad("nn.Dropout", lambda: nn.Dropout(-0.5), ValueError, "[Dropout] p is -0.5, expected 0 <= p <= 1"),
    Bad("nn.Dropout.forward", lambda: nn.Dropout()([1.0]), TypeError, "is a list, expected a Tensor"),
    Bad("nn.Embedding", lambda: nn.Embedding(3, 2, padding_idx=3), ValueError, "[Embedding] padding_idx is 3, expected one of 3 rows"),
    Bad("nn.Embedding.forward", lambda: nn.Embedding(3, 2)(bg.tensor([3])), IndexError, "[gather_rows] rows[0] is 3, expected"),
    Bad("nn.Flatten", lambda: nn.Flatten("1"), TypeError, "[Flatten] start_dim is a str, expected an integer"),
    Bad("nn.LayerNorm", lambda: nn.LayerNorm(0), ValueError, "[LayerNorm] normalized_shape is 0, expected at least 1"),
    Bad("nn.LayerNorm.forward", lambda: nn.LayerNorm(3)(x(2)), ValueError, "[layer_norm] x has shape (2,), expected (..., 3)"),
    Bad("nn.Linear", lambda: nn.Linear(2.5, 3), TypeError, "[Linear] in_features is a float, expected an integer"),
    Bad("nn.Linear.forward", lambda: nn.Linear(2, 3)(x()), ValueError, "[linear] input has shape (2, 3), expected (..., 2)"),
    Bad("nn.LogSoftmax", lambda: nn.LogSoftmax(0.5), TypeError, "[LogSoftmax] dim is a float, expected an integer"),
    Bad("nn.Softmax", lambda: nn.Softmax("1"), TypeError, "[Softmax] dim is a str, expected an integer"),
    Bad("nn.Module.apply", lambda: nn.ReLU().apply(3), TypeError, "[apply] fn is an int, expected a function"),
    Bad("nn.Module.forward", lambda: nn.Module()(x()), NotImplementedError, "[Module] the class defines no forward"),
    Bad("nn.Module.load_state_dict", lambda: nn.Linear(2, 2).load_state_dict({}), RuntimeError, "[load_state_dict] missing weight, bias"),
    Bad("nn.Module.load_state_dict", lambda: nn.Linear(2, 2).load_state_dict([]), TypeError, "[load_state_dict] state_dict is a list, expected a mapping"),
    Bad("nn.Module.register_buffer", lambda: nn.ReLU().register_buffer("a", [1.0]), TypeError, "[register_buffer] a is a list, expected a Tensor"),
    Bad("nn.Module.register_forward_hook", lambda: nn.ReLU().register_forward_hook(3), TypeError, "[register_forward_hook] hook is an int, expected a function"),
    Bad("nn.Module.to", lambda: nn.ReLU().to(None), TypeError, "[to] dtype is None, expected float32"),
    Bad("nn.Module.to", lambda: nn.ReLU().to(bg.int64), TypeError, "[to] dtype is int64, expected float32 or float64"),
    Bad("nn.Module.train", lambda: nn.ReLU().train("no"), TypeError, "[train] mode is a str, expected a bool"),
    Bad("nn.ModuleList", lambda: nn.ModuleList([3]), TypeError, "[ModuleList] modules[0] is an int, expected a Module"),
    Bad("nn.ModuleList.append", lambda: nn.ModuleList().append(3), TypeError, "[ModuleList] modules[0] is an int, expected a Module"),
    Bad("nn.ModuleList.extend", lambda: nn.ModuleList().extend(3), TypeError, "[ModuleList] modules is an int, expected a list"),
    Bad("nn.Parameter", lambda: nn.Parameter(INTEGERS), TypeError, "[requires_grad_] dtype is int64, expected float32"),
    Bad("nn.Sequential", lambda: nn.Sequential(3), TypeError, "[Sequential] modules[0] is an int, expected a Module"),
    Bad("nn.Sequential.forward", lambda: nn.Sequential(nn.Tanh())([1.0]), TypeError, whole("tanh", "input")),
    Bad("nn.functional.cross_entropy", lambda: F.cross_entropy(x(2, 3), bg.tensor([0, 3])), IndexError, "3"),
    Bad("nn.functional.cross_entropy", lambda: F.cross_entropy(x(2, 3), INTEGERS, reduction="all"), ValueError, "[cross_entropy] reduction is 'all'"),
    Bad("nn.functional.nll_loss", lambda: F.nll_loss(x(2, 3), x(2)), TypeError, "[nll_loss] target has dtype float32, expected int64"),
    Bad("nn.functional.nll_loss", lambda: F.nll_loss(x(2, 3), bg.tensor([0, 3])), IndexError, "[nll_loss] target has a label 3"),
    Bad("nn.functional.leaky_relu", lambda: F.leaky_relu(x(), "1"), TypeError, "[leaky_relu] negative_slope is a str, expected a number"),
    Bad("nn.functional.elu", lambda: F.elu(x(), "1"), TypeError, "[elu] alpha is a str, expected a number"),
    Bad("nn.functional.gelu", lambda: F.gelu([1.0]), TypeError, whole("gelu", "input")),
    Bad("nn.functional.silu", lambda: F.silu([1.0]), TypeError, whole("silu", "input")),
    Bad("nn.functional.softplus", lambda: F.softplus([1.0]), TypeError, whole("softplus", "input")),
    Bad("nn.functional.linear", lambda: F.linear(x(), x(4, 2)), ValueError, "[linear] input has shape (2, 3), expected (..., 2)"),
    Bad("nn.functional.linear", lambda: F.linear(x(), x(4, 3), activation="step"), ValueError, "[activation] activation is 'step', expected one of"),
    Bad("nn.functional.conv2d", lambda: F.conv2d(x(1, 2, 5, 5), [1.0]), TypeError, whole("conv2d", "weight")),
    Bad("nn.functional.conv2d", lambda: F.conv2d(x(1, 2, 5, 5), x(1, 2, 3, 3), groups="1"), TypeError, "[conv2d] groups is a str, expected an integer"),
    Bad("nn.functional.layer_norm", lambda: F.layer_norm(x(), (3,), eps=-1), ValueError, "[layer_norm] eps is -1, expected 0 <= eps"),
    Bad("nn.functional.layer_norm", lambda: F.layer_norm(x(), (3,), x(2)), ValueError, "[layer_norm] weight has shape (2,), expected (3,)"),
    Bad("nn.functional.max_pool2d", lambda: F.max_pool2d(x(1, 1, 4, 4), "2"), TypeError, "[maxpool2d] kernel_size is '2', expected an integer or two"),
    Bad("nn.functional.avg_pool2d", lambda: F.avg_pool2d(x(4, 4), 2), ValueError, "[avgpool2d_forward] x has shape (4, 4), expected (n, c, h, w)"),
    Bad("nn.functional.softmax", lambda: F.softmax([1.0], 0), TypeError, whole("softmax", "input")),
    Bad("nn.functional.log_softmax", lambda: F.log_softmax([1.0], 0), TypeError, whole("log_softmax", "input")),
    Bad("nn.functional.dropout", lambda: F.dropout(x(), 2), ValueError, "[dropout] p is 2, expected 0 <= p <= 1"),
    Bad("nn.functional.dropout", lambda: F.dropout(x(), "1"), TypeError, "[dropout] p is a str, expected a number"),
    Bad("nn.functional.embedding", lambda: F.embedding(INTEGERS, x(), 0.5), TypeError, "[embedding] padding_idx is a float, expected an integer"),
    Bad("nn.functional.embedding", lambda: F.embedding(x(), x()), TypeError, "[embedding] indices has dtype float32, expected int64"),
    Bad("nn.functional.batch_norm", lambda: F.batch_norm(x(), None, None), ValueError, "[batch_norm] training is False, expected running_mean"),
    Bad("nn.functional.batch_norm", lambda: F.batch_norm(x(), x(3), [1.0]), TypeError, whole("batch_norm", "var")),
    Bad("nn.functional.batch_norm", lambda: F.batch_norm(x(), x(3), x(3), eps="0"), TypeError, "[batch_norm] eps is a str, expected a number"),
    Bad("nn.init.calculate_gain", lambda: nn.init.calculate_gain("step"), ValueError, "[calculate_gain] nonlinearity is 'step', expected linear"),
    Bad("nn.init.uniform_", lambda: nn.init.uniform_(x(), 1.0, 0.0), ValueError, "[uniform_] b is 0.0, expected 1 <= b"),
    Bad("nn.init.normal_", lambda: nn.init.normal_(x(), std=-1), ValueError, "[normal_] std is -1, expected 0 <= std"),
    Bad("nn.init.constant_", lambda: nn.init.constant_(x(), "1"), TypeError, "[constant_] val is a str, expected a number"),
    Bad("nn.init.kaiming_normal_", lambda: nn.init.kaiming_normal_(x(), mode="in"), ValueError, "[init] mode is 'in', expected 'fan_in' or 'fan_out'"),
    Bad("nn.utils.clip_grad_norm_", lambda: nn.utils.clip_grad_norm_(3, 1.0), TypeError, "[clip_grad_norm_] parameters is an int, expected a list"),
    Bad("nn.utils.clip_grad_norm_", lambda: nn.utils.clip_grad_norm_(parameters(), -1), ValueError, "[clip_grad_norm_] max_norm is -1, expected 0 <= max_norm"),
    Bad("nn.utils.clip_grad_norm_", lambda: nn.utils.clip_grad_norm_(parameters(), 1, 0), ValueError, "[clip_grad_norm_] norm_type is 0, expected more than 0"),
    Bad("optim.Optimizer", lambda: optim.Optimizer([], {}), ValueError, "[Optimizer] params is empty, expected at least one"),
    Bad("optim.SGD", lambda: optim.SGD(parameters(), lr="0.1"), TypeError, "[SGD] lr is a str, expected a number"),
    Bad("optim.SGD", lambda: optim.SGD(parameters(), nesterov="no"), TypeError, "[SGD] nesterov is a str, expected a bool"),
    Bad("optim.SGD", lambda: optim.SGD(3), TypeError, "[SGD] params is an int, expected a list"),
    Bad("optim.Adam", lambda: optim.Adam(parameters(), betas=0.9), TypeError, "[Adam] betas is a float, expected a list"),
    Bad("optim.Adam", lambda: optim.Adam(parameters(), betas=(0.9,)), ValueError, "[Adam] betas is (0.9,), expected two numbers"),
    Bad("optim.AdamW", lambda: optim.AdamW(parameters(), betas=(0.9, 1)), ValueError, "[AdamW] betas[1] is 1, expected 0 <="),
    Bad("optim.Optimizer.add_param_group", lambda: sgd().add_param_group([]), TypeError, "[SGD] a group is a list, expected a dict"),
    Bad("optim.Optimizer.add_param_group", lambda: sgd().add_param_group({"lr": 1}), ValueError, "[SGD] a group has no 'params', expected some"),
    Bad("optim.Optimizer.load_state_dict", lambda: sgd().load_state_dict([]), TypeError, "[load_state_dict] state_dict is a list, expected a mapping"),
    Bad("optim.Optimizer.load_state_dict", lambda: sgd().load_state_dict({}), ValueError, "[load_state_dict] state_dict lacks 'state' or 'param_groups'"),
    Bad("optim.Optimizer.step", lambda: sgd().step(3), TypeError, "[step] closure is an int, expected a function"),
    Bad("optim.lr_scheduler.LRScheduler", lambda: lr_scheduler.LRScheduler(3), TypeError, "[LRScheduler] optimizer is an int, expected an Optimizer"),
    Bad("optim.lr_scheduler.LambdaLR", lambda: lr_scheduler.LambdaLR(sgd(), 3), TypeError, "[LambdaLR] lr_lambda is an int, expected a list"),
    Bad("optim.lr_scheduler.LambdaLR", lambda: lr_scheduler.LambdaLR(sgd(), []), ValueError, "[LambdaLR] lr_lambda has 0 functions, expected 1"),
    Bad("optim.lr_scheduler.StepLR", lambda: lr_scheduler.StepLR(sgd(), 0), ValueError, "[StepLR] step_size is 0, expected at least 1"),
    Bad("optim.lr_scheduler.MultiStepLR", lambda: lr_scheduler.MultiStepLR(sgd(), ["2"]), TypeError, "[MultiStepLR] a milestone is a str, expected an integer"),
    Bad("optim.lr_scheduler.ExponentialLR", lambda: lr_scheduler.ExponentialLR(sgd(), "1"), TypeError, "[ExponentialLR] gamma is a str, expected a number"),
    Bad("optim.lr_scheduler.CosineAnnealingLR", lambda: lr_scheduler.CosineAnnealingLR(sgd(), 0), ValueError, "[CosineAnnealingLR] T_max is 0, expected at least 1"),
    Bad("optim.lr_scheduler.InverseTimeLR", lambda: lr_scheduler.InverseTimeLR(sgd(), None), TypeError, "[InverseTimeLR] gamma is a NoneType, expected a number"),
    Bad("optim.lr_scheduler.InverseSqrtLR", lambda: lr_scheduler.InverseSqrtLR("sgd"), TypeError, "[InverseSqrtLR] optimizer is a str, expected an Optimizer"),
    Bad("optim.lr_scheduler.LRScheduler.load_state_dict", lambda: exponential().load_state_dict([]), TypeError, "[load_state_dict] state_dict is a list, expected a mapping"),
    Bad("train.History.append", lambda: train.History().append(0.5, None, 1.0), TypeError, "[append] train is a float, expected Metrics"),
    Bad("train.History.plot", lambda: train.History().plot(NOWHERE / "a.png"), FileNotFoundError, "none"),
    Bad("train.History.text_plot", lambda: train.History().text_plot(0), ValueError, "[text_plot] width and height are 0 and 12, expected"),
    Bad("train.History.text_plot", lambda: train.History().text_plot("wide"), TypeError, "[text_plot] width is a str, expected an integer"),
    Bad("train.evaluate", lambda: train.evaluate(3, loader()), TypeError, "[evaluate] model is an int, expected a Module"),
    Bad("train.evaluate", lambda: train.evaluate(nn.Linear(3, 2), loader(), 3), TypeError, "[evaluate] loss is an int, expected a function"),
    Bad("train.fit", lambda: train.fit(3, loader(), epochs=1), TypeError, "[fit] model is an int, expected a Module"),
    Bad("train.fit", lambda: train.fit(nn.Linear(3, 2), loader(), epochs=0), ValueError, "[fit] epochs is 0, expected at least 1"),
    Bad("train.fit", lambda: train.fit(nn.Linear(3, 2), loader(), epochs=1, scheduler=3), TypeError, "[fit] scheduler is an int, expected one with step()"),
    Bad("utils.data.DataLoader", lambda: DataLoader(3), TypeError, "[DataLoader] dataset is an int, expected something with a length"),
    Bad("utils.data.DataLoader", lambda: DataLoader(x(), 0), ValueError, "[DataLoader] batch_size is 0, expected at least 1"),
    Bad("utils.data.TensorDataset", lambda: TensorDataset(), ValueError, "[TensorDataset] there are no tensors, expected at least one"),
    Bad("utils.data.TensorDataset", lambda: TensorDataset(x())["0"], IndexError, "[TensorDataset] index is '0'"),
]
# fmt: on

CALLS = [*families(), *SINGLE]

# What cannot get bad input, and why.
ANY_TRUTH = "any value says yes or no, as in Python"
EXEMPT = {
    "autograd.Function.apply": "of those who write ops: it hands on what it gets",
    "autograd.Function.apply_all": "as apply",
    "autograd.Function.backward": "to be written",
    "autograd.Function.forward": "to be written",
    "autograd.Function.room": "gives what it gets, or None",
    "autograd.Function.save": "keeps anything",
    "autograd.backward": "of the engine; Tensor.backward and grad check what they give it",
    "data.Splits": "a dataclass: holds what it gets",
    "keras.Activation.build": "any shape stays",
    "keras.Dropout.build": "any shape stays",
    "keras.Flatten.build": "any shape becomes a vector",
    "keras.History": "a dataclass: holds what it gets",
    "nn.Module": "its subclasses say what they take",
    "nn.Module.requires_grad_": ANY_TRUTH,
    "optim.Optimizer.zero_grad": ANY_TRUTH,
    "train.History": "a dataclass: holds what it gets",
    "train.Metrics": "a dataclass: holds what it gets",
    "utils.data.Dataset": "a protocol",
    "bg.Tensor.zero_": "takes the tensor alone",
    "bg.Tensor.contiguous": "takes the tensor alone",
}
