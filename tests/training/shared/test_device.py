import subprocess
import sys
from functools import partial

import pytest
import torch

from training.shared import device


def test_bfloat16_is_chosen_only_where_it_measures_faster():
    hardware = device.probe()
    faster = hardware.bfloat16_gflops > device.MIN_GAIN * hardware.float32_gflops
    assert hardware.bfloat16 == faster
    assert hardware.dtype == (torch.bfloat16 if faster else torch.float32)
    assert hardware.float32_gflops > 0


def test_a_busy_machine_gives_the_same_answer(request: pytest.FixtureRequest):
    request.addfinalizer(partial(torch.set_num_threads, torch.get_num_threads()))
    torch.set_num_threads(device.cores())

    def after_work() -> bool:
        assert sum(range(1_000_000))  # others' threads have their turn, as while libraries load
        return device.probe.__wrapped__().bfloat16

    code = "print(flush=True)\nwhile True: pass"
    command = [sys.executable, "-c", code]
    busy = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(device.cores())]
    try:
        for process in busy:
            process.stdout.readline()
        answers = {after_work() for _ in range(20)}
    finally:
        for process in busy:
            process.kill()
            process.communicate()
    assert answers == {device.probe().bfloat16}


def test_the_machine_is_asked_once():
    assert device.probe() is device.probe()


def test_the_machine_is_described_for_the_card():
    assert f"{device.cores()} cores" in device.probe().name


def test_threads_are_given_back():
    before = torch.get_num_threads()
    with device.one_thread_each():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before
