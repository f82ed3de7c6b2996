import threading

import pytest
import torch

from training.shared import workers
from training.shared.workers import map_on_cores


@pytest.mark.parametrize("count", [0, 1, 50])
@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_results_come_in_the_order_of_the_items(count, device):
    items = list(range(count))
    assert list(map_on_cores(lambda item: item * item, items, device=device)) == [
        item * item for item in items
    ]


def test_each_worker_uses_one_thread_and_the_caller_has_its_own_again(monkeypatch):
    monkeypatch.setattr(workers, "cores", lambda: 2)
    before, both = torch.get_num_threads(), threading.Barrier(2, timeout=30)

    def run(_item):
        both.wait()  # passes only if two work at once
        return torch.get_num_threads()

    assert list(map_on_cores(run, [0, 1], device="cpu")) == [1, 1]
    assert torch.get_num_threads() == before
