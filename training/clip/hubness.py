"""Find pictures for a text without those that are near to every text.

A picture that was learned lies close to its own caption, and so to every text like it; one that was
never seen lies close to none. By the cosine alone the first push the second out of the best ten.
So a picture's cosine with the learned caption it is nearest to counts against it: the collection is
ranked by how much nearer a picture is to this text than to what is known of it.

Source: cross-domain similarity local scaling with one neighbour on the pictures' side, Conneau et
al. 2018, https://arxiv.org/abs/1710.04087; why seen classes need a handicap, Chao et al. 2016,
https://arxiv.org/abs/1605.04253. Weighted, so that a text which is itself a learned caption still
tells its own picture from the others (with 1 all of theirs come to 0).

Legend: n pictures, m captions, q texts, d dimension; all vectors of length 1.
"""

from __future__ import annotations

import numpy as np

WEIGHT = 0.9


def familiarity(pictures: np.ndarray, captions: np.ndarray) -> np.ndarray:
    """(n,) float32: of (n, d) pictures the cosine with the nearest of (m, d) captions."""
    if not len(captions):
        return np.zeros(len(pictures), np.float32)
    return np.asarray((pictures @ captions.T).max(1), np.float32)


def ranked(cosines: np.ndarray, familiar: np.ndarray) -> np.ndarray:
    """(q, n) or (n,) values to order n pictures by, given their cosines and `familiarity`."""
    return cosines - WEIGHT * familiar
