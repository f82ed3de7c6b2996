"""Two rankings become one, by rank or by score."""

import numpy as np
import pytest

from hub_utils.errors import LabError
from training.index.fusion import RRF_K, RULES, Ranking, fuse


def ranking(**scores):
    rows = [int(name[1:]) for name in scores]
    return Ranking(np.array(rows, np.int64), np.array(list(scores.values()), np.float32))


DENSE = ranking(r1=0.9, r2=0.8, r3=0.2)
KEYWORD = ranking(r2=12.0, r4=3.0)


def test_reciprocal_ranks_add_up():
    fused = fuse(DENSE, KEYWORD, "rrf").as_dict()
    assert fused[2] == pytest.approx(1 / (RRF_K + 2) + 1 / (RRF_K + 1))
    assert fused[1] == pytest.approx(1 / (RRF_K + 1))
    assert fused[4] == pytest.approx(1 / (RRF_K + 2))


@pytest.mark.parametrize("rule", RULES)
def test_what_both_find_well_comes_first_and_nothing_is_lost(rule):
    fused = fuse(DENSE, KEYWORD, rule)
    assert fused.rows[0] == 2
    assert sorted(fused.rows.tolist()) == [1, 2, 3, 4]
    assert (np.diff(fused.scores) <= 0).all()


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("turned", [False, True])
def test_one_empty_ranking_leaves_the_others_order(rule, turned):
    pair = (Ranking.empty(), DENSE) if turned else (DENSE, Ranking.empty())
    assert fuse(*pair, rule).rows.tolist() == [1, 2, 3]


@pytest.mark.parametrize("rule", RULES)
def test_equal_scores_and_nothing_at_all_are_no_trouble(rule):
    equal = ranking(r5=0.5, r6=0.5)
    assert len(fuse(equal, equal, rule)) == 2
    assert len(fuse(Ranking.empty(), Ranking.empty(), rule)) == 0


def test_weights_lean_to_their_side():
    dense, keyword = ranking(r1=0.9), ranking(r2=9.0)
    assert fuse(dense, keyword, "rrf-dense").rows[0] == 1
    assert fuse(dense, keyword, "rrf-keyword").rows[0] == 2


def test_an_unknown_rule_is_a_sentence():
    with pytest.raises(LabError, match="no fusion rule 'best'"):
        fuse(DENSE, KEYWORD, "best")
