"""`bg.profile`: which kernels ran, how often, and what they took."""

from __future__ import annotations

import baregrad as bg


def test_counts_the_kernels_that_ran_inside_and_no_others() -> None:
    a = bg.ones(8, 8)
    a.exp()
    with bg.profile() as profile:
        for _ in range(3):
            a @ a
        a.relu()
    a.exp()
    assert {kernel.name: kernel.calls for kernel in profile.kernels} == {
        "gemm": 3,
        "relu_forward": 1,
    }


def test_the_longest_comes_first_and_shares_add_up() -> None:
    a = bg.ones(256, 256)
    with bg.profile() as profile:
        a @ a
        bg.ones(1).relu()
    assert [kernel.name for kernel in profile.kernels] == ["gemm", "relu_forward"]
    assert all(kernel.seconds >= 0 for kernel in profile.kernels)
    shares = [float(line.rsplit(maxsplit=1)[1][:-1]) for line in str(profile).splitlines()]
    assert abs(sum(shares) - 100) <= 0.1
    assert shares == sorted(shares, reverse=True)


def test_a_profile_of_nothing_is_empty() -> None:
    with bg.profile() as profile:
        pass
    assert profile.kernels == []
    assert str(profile) == ""
