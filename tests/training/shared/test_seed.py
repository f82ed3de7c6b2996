import json

import torch

from training.shared import seed


def test_the_same_seed_gives_the_same_numbers():
    first = seed.seed_everything(3).permutation(10).tolist(), torch.rand(3).tolist()
    second = seed.seed_everything(3).permutation(10).tolist(), torch.rand(3).tolist()
    assert first == second
    assert seed.seed_everything(4).permutation(10).tolist() != first[0]


def test_a_generator_goes_on_where_its_state_was_taken():
    generator = seed.seed_everything(0)
    generator.permutation(7)
    kept = json.loads(json.dumps(seed.generator_state(generator)))
    expected = generator.permutation(100).tolist()
    assert seed.restore_generator(kept).permutation(100).tolist() == expected


def test_torch_goes_on_where_its_state_was_taken():
    seed.seed_everything(0)
    kept = {name: state.clone() for name, state in seed.torch_states().items()}
    expected = torch.rand(5)
    seed.restore_torch(kept)
    assert torch.equal(torch.rand(5), expected)
