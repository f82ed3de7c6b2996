import numpy as np
import pytest

from training.gpt.loop import Feed


def feed(tokens=1000, seed=0):
    return Feed(np.arange(tokens, dtype=np.uint16), np.random.default_rng(seed))


def test_windows_are_pieces_of_the_text_with_the_token_that_follows():
    rows = feed().take(5, 16)
    assert rows.shape == (5, 17)
    assert (np.diff(rows.astype(int), axis=1) == 1).all()


def test_no_token_comes_again_before_all_have_come():
    source = feed(tokens=1001)
    seen = np.concatenate([source.take(10, 10)[:, 1:].ravel() for _ in range(10)])
    assert len(np.unique(seen)) == 1000


def test_each_pass_cuts_the_text_at_another_place():
    source = feed(tokens=1015)
    starts = {int(source.take(62, 16)[:, 0].min()) for _ in range(12)}
    assert len(starts) > 1


def test_the_order_hangs_on_the_seed_alone():
    assert (feed(seed=1).take(9, 16) == feed(seed=1).take(9, 16)).all()
    assert not (feed(seed=1).take(9, 16) == feed(seed=2).take(9, 16)).all()


def test_the_window_may_grow():
    source = feed()
    assert source.take(3, 16).shape == (3, 17)
    assert source.take(3, 64).shape == (3, 65)


@pytest.mark.parametrize("tokens", [18, 33, 40])
def test_a_text_hardly_longer_than_a_window_does(tokens):
    rows = feed(tokens=tokens).take(20, 16)
    assert rows.shape == (20, 17)
    assert rows.max() < tokens
