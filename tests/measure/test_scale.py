"""Millimetres only from a stated origin."""

import pytest

from aoienet.measure import scale


def test_a_value_is_taken_as_it_is():
    size = scale.from_value(0.12)
    assert size.millimetres(10, 0.5) == (pytest.approx(1.2), pytest.approx(0.06))
    assert size.origin == "given by the user"


def test_two_points_carry_the_uncertainty_of_the_marks():
    size = scale.from_points((10, 20), (310, 420), 100.0, u_mm=0.5)
    assert size.mm_per_px == pytest.approx(0.2)
    assert size.u_relative == pytest.approx(((0.5 * 2**0.5 / 500) ** 2 + 0.005**2) ** 0.5)
    value, u = size.millimetres(50, 0)
    assert (value, u) == (pytest.approx(10), pytest.approx(10 * size.u_relative))


def test_points_on_the_border_lie_in_the_picture():
    scale.check_inside((0, 0, 256, 200), 256, 200)


def test_ground_sampling_is_in_metres_and_may_be_negative_downwards():
    assert scale.from_ground_sampling(0.0005, -0.0005).mm_per_px == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: scale.from_value(0), "received 0"),
        (lambda: scale.from_value(float("nan")), "received nan"),
        (lambda: scale.from_value(1e-7), "from 1e-06 to 1e[+]06; received 1e-07; next: look at the unit"),
        (lambda: scale.from_value(float("inf")), "received inf"),
        (lambda: scale.from_points((0, 0), (100, 0), 1e9), "from 1e-06 to 1e[+]06"),
        (
            lambda: scale.from_points((0, 0), (0, 0), 5),
            "at least 20 px apart; received 0.0 px; next: take points further apart",
        ),
        (lambda: scale.check_inside((0, 0, 257, 0), 256, 200), "256 x 200 px; received 0,0 and 257,0; next: points of"),
        (lambda: scale.check_inside((0, -1, 50, 0), 256, 200), "received 0,-1"),
        (lambda: scale.check_inside((float("nan"), 0, 50, 0), 256, 200), "received nan,0"),
        (lambda: scale.from_points((0, 0), (100, 0), -5), "received -5"),
        (lambda: scale.from_ground_sampling(0.001, 0.002), "square"),
        (lambda: scale.from_ground_sampling(0.0, 0.002), "positive"),
    ],
)
def test_no_scale_is_said_with_the_value(make, words):
    with pytest.raises(scale.ScaleError, match=words):
        make()
