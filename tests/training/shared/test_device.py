import torch

from training.shared import device


def test_bfloat16_is_chosen_only_where_it_measures_faster():
    hardware = device.probe()
    faster = hardware.bfloat16_gflops > device.MIN_GAIN * hardware.float32_gflops
    assert hardware.bfloat16 == faster
    assert hardware.dtype == (torch.bfloat16 if faster else torch.float32)
    assert hardware.float32_gflops > 0


def test_the_machine_is_asked_once():
    assert device.probe() is device.probe()


def test_the_machine_is_described_for_the_card():
    assert f"{device.cores()} cores" in device.probe().name


def test_threads_are_given_back():
    before = torch.get_num_threads()
    with device.one_thread_each():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before
