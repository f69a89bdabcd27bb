"""Bounded work in threads: order, bounds, errors, batches."""

import threading
import time
from itertools import count

import numpy as np
import pytest

from aoienet.data import pipeline


class Gauge:
    """Work that counts how many results are begun and not handed over."""

    def __init__(self, slow=lambda item: 0.0):
        self.lock, self.begun, self.taken, self.most, self.slow = threading.Lock(), 0, 0, 0, slow

    def __call__(self, item):
        with self.lock:
            self.begun += 1
            self.most = max(self.most, self.begun - self.taken)
        time.sleep(self.slow(item))
        return item * item


@pytest.mark.parametrize(("threads", "ahead"), [(1, 1), (3, 2), (4, 9)])
def test_results_come_in_order_and_never_more_than_ahead_wait(threads, ahead):
    gauge, drawn = Gauge(lambda item: 0.003 * (item % 3 == 0)), []
    items = (drawn.append(i) or i for i in range(60))
    results = []
    for result in pipeline.in_order(gauge, items, threads, ahead):
        assert len(drawn) <= len(results) + ahead
        results.append(result)
        time.sleep(0.001)
        gauge.taken += 1
    assert results == [i * i for i in range(60)]
    assert gauge.most <= ahead


def test_items_may_be_endless_and_the_threads_end_with_the_generator():
    before = threading.active_count()
    source = pipeline.in_order(lambda i: i, count(), 3, 5)
    assert [next(source) for _ in range(4)] == [0, 1, 2, 3]
    source.close()
    assert threading.active_count() == before


def test_an_error_comes_at_its_place():
    def work(i):
        if i == 3:
            raise ValueError("three")
        return i

    source = pipeline.in_order(work, range(10), 4, 8)
    assert [next(source) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="three"):
        next(source)


def test_threads_and_ahead_are_at_least_one():
    with pytest.raises(ValueError, match="at least 1; received 0 and 4"):
        next(pipeline.in_order(abs, [1], 0, 4))


def test_batches_hold_the_pictures_of_their_plan():
    plan = [[3, 1, 2], [0, 4], [5]]
    made = list(pipeline.batches(lambda i: np.full((2, 2), i), plan, (2, 2), np.uint8, 3, 4))
    assert [index.tolist() for _, index in made] == plan
    assert all(np.array_equal(batch[:, 0, 0], index) and batch.dtype == np.uint8 for batch, index in made)


def test_what_cannot_be_made_is_left_out_of_its_batch():
    plan = [[0, 1, 2], [3, 4]]
    made = list(pipeline.batches(lambda i: None if i in (1, 3) else np.full(2, i), plan, (2,), np.int8, 2, 3))
    assert [index.tolist() for _, index in made] == [[0, 2], [4]]
    assert [batch.tolist() for batch, _ in made] == [[[0, 0], [2, 2]], [[4, 4]]]


def test_the_memory_of_batches_is_made_when_it_is_needed():
    drawn = []
    plan = (drawn.append(i) or [0] * 4 for i in range(100))
    source = pipeline.batches(lambda i: np.zeros(8), plan, (8,), np.float32, 2, 8)
    for k in range(10):
        next(source)
        assert len(drawn) <= k + 1 + 8 / 4 + 1
