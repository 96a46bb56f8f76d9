"""Values to start from: their spread, and what it does to a deep network."""

from __future__ import annotations

import math

import baregrad as bg
import numpy as np
import pytest
from baregrad import nn

# Of n numbers with variance v, that of the sample is within 5 standard deviations of v:
# v sqrt(2 / n) for a normal, v sqrt(4 / (5 n)) for a uniform distribution.
OFF = 5 * math.sqrt(2 / (200 * 300))


def values(tensor: bg.Tensor) -> np.ndarray:
    return tensor.detach().cpu().numpy().astype(np.float64)


@pytest.mark.parametrize(
    ("fill", "options", "variance"),
    [
        (nn.init.xavier_uniform_, {}, 2 / 500),
        (nn.init.xavier_normal_, {"gain": 2.0}, 4 * 2 / 500),
        (nn.init.kaiming_uniform_, {}, 2 / 300),
        (nn.init.kaiming_uniform_, {"a": math.sqrt(5)}, 1 / 3 / 300),
        (nn.init.kaiming_normal_, {"nonlinearity": "relu"}, 2 / 300),
        (nn.init.kaiming_normal_, {"mode": "fan_out", "nonlinearity": "linear"}, 1 / 200),
        (nn.init.normal_, {"std": 3.0}, 9),
        (nn.init.uniform_, {"a": -1, "b": 1}, 1 / 3),
    ],
)
def test_the_variance_is_that_of_the_paper(fill, options, variance):
    bg.manual_seed(0)
    weight = nn.Parameter(np.full((200, 300), np.nan, np.float32))
    assert fill(weight, **options) is weight
    found = values(weight)
    assert found.var() == pytest.approx(variance, rel=OFF)
    # the mean of n numbers is within 5 standard deviations of its own, sqrt(v / n)
    assert abs(found.mean()) < 5 * math.sqrt(variance / found.size)


def test_a_uniform_draw_stays_within_its_bound():
    bg.manual_seed(0)
    found = values(nn.init.xavier_uniform_(nn.Parameter(np.zeros((200, 300), np.float32))))
    bound = math.sqrt(6 / 500)
    assert 0.999 * bound < np.abs(found).max() <= bound


def test_the_fans_of_a_convolution_count_its_window():
    bg.manual_seed(0)
    weight = nn.Parameter(np.zeros((50, 40, 3, 10), np.float32))
    nn.init.kaiming_normal_(weight, nonlinearity="relu")
    assert values(weight).var() == pytest.approx(2 / (40 * 30), rel=OFF)


def test_constants_fill_everywhere(device):
    weight = nn.Parameter(bg.tensor(np.full((3, 4), np.nan, np.float32), device=device))
    for fill, expected in (
        (nn.init.zeros_, 0),
        (nn.init.ones_, 1),
        (lambda tensor: nn.init.constant_(tensor, 0.5), 0.5),
    ):
        fill(weight)
        assert weight.device == device
        np.testing.assert_array_equal(values(weight), np.full((3, 4), expected))


def test_the_same_seed_draws_the_same_values():
    drawn = []
    for _ in range(2):
        bg.manual_seed(5)
        drawn.append(values(nn.init.normal_(nn.Parameter(np.zeros(7, np.float32)))))
    np.testing.assert_array_equal(*drawn)


def test_the_memory_stays_and_a_saved_value_is_missed():
    layer = nn.Linear(2, 2)
    data = layer.weight.array
    out = layer(bg.tensor(np.ones((1, 2), np.float32), requires_grad=True))
    nn.init.zeros_(layer.weight)
    assert layer.weight.array is data
    with pytest.raises(RuntimeError, match="changed in place"):
        out.backward(bg.tensor(np.ones((1, 2), np.float32)))


@pytest.mark.parametrize(
    ("nonlinearity", "gain"),
    [("linear", 1), ("sigmoid", 1), ("tanh", 5 / 3), ("relu", math.sqrt(2))],
)
def test_the_gains_are_those_of_torch(nonlinearity, gain):
    assert nn.init.calculate_gain(nonlinearity) == gain


def test_the_gain_of_leaky_relu_depends_on_its_slope():
    assert nn.init.calculate_gain("leaky_relu") == pytest.approx(math.sqrt(2 / 1.0001))
    assert nn.init.calculate_gain("leaky_relu", 1) == 1


def test_impossible_requests_are_refused():
    vector = nn.Parameter([1.0, 2.0])
    with pytest.raises(ValueError, match=r"tensor has shape \(2,\), expected \(o, c, \.\.\.\)"):
        nn.init.xavier_uniform_(vector)
    with pytest.raises(ValueError, match="nonlinearity is 'gelu', expected linear"):
        nn.init.calculate_gain("gelu")
    with pytest.raises(ValueError, match="mode is 'in', expected 'fan_in' or 'fan_out'"):
        nn.init.kaiming_normal_(nn.Parameter(np.ones((2, 2))), mode="in")


def test_he_keeps_the_variance_of_a_deep_relu_network_and_xavier_loses_it(rng):
    """Lecture 000, slide 28: 22 layers of ReLU."""
    bg.manual_seed(0)
    ratio = {}
    for name, fill in (("he", nn.init.kaiming_normal_), ("xavier", nn.init.xavier_normal_)):
        x = first = bg.tensor(rng.normal(size=(64, 256)), bg.float32)
        for _ in range(22):
            layer = nn.Linear(256, 256, bias=False)
            fill(layer.weight)
            x = layer(x).relu()
        ratio[name] = np.mean(values(x) ** 2) / np.mean(values(first) ** 2)
    # a layer's mean square scatters by sqrt(5 / 256); 22 layers, 3 standard deviations, as a factor
    spread = math.exp(3 * math.sqrt(22 * 5 / 256))
    assert 1 / spread < ratio["he"] < spread
    assert ratio["xavier"] < 2**-22 * spread


def test_xavier_keeps_the_variance_of_a_deep_linear_network(rng):
    bg.manual_seed(0)
    x = first = bg.tensor(rng.normal(size=(64, 256)), bg.float32)
    for _ in range(10):
        layer = nn.Linear(256, 256, bias=False)
        nn.init.xavier_normal_(layer.weight)
        x = layer(x)
    # a layer's mean square scatters by sqrt(2 / 256); 10 layers, 3 standard deviations, as a factor
    spread = math.exp(3 * math.sqrt(10 * 2 / 256))
    assert 1 / spread < np.mean(values(x) ** 2) / np.mean(values(first) ** 2) < spread
