"""Inception score of a classifier's logits."""

from __future__ import annotations

import math
import statistics
from itertools import pairwise

from torch import Tensor

from steadygan.metrics.rows import checked_rows


def inception_score(logits: Tensor, splits: int = 10) -> tuple[float, float]:
    """exp of the mean KL divergence of an image's classes from all images' classes. Salimans et al. (2016), section 4.

    arXiv:1606.03498. `logits`: (N, classes). Mean and standard deviation (with the number of splits in the
    denominator) over `splits` parts, contiguous and in the order given. torch-fidelity shuffles first unless told
    otherwise; rows that are sorted should be shuffled by the caller. In 1..classes, higher is better; low for few
    images per part. Knows nothing of the reals: the same sharp image of each class scores best. DataError for fewer
    than 2 rows per part.
    """
    checked_rows(logits, "generated images", 2 * splits)
    edges = [part * len(logits) // splits for part in range(splits + 1)]
    scores = [_score(logits[start:end].double()) for start, end in pairwise(edges)]
    return statistics.fmean(scores), statistics.pstdev(scores)


def _score(logits: Tensor) -> float:
    log_given = logits.log_softmax(1)
    log_all = log_given.logsumexp(0) - math.log(len(logits))  # of probabilities, a class without any would be -inf
    divergence = (log_given.exp() * (log_given - log_all)).sum(1).mean()
    return math.exp(float(divergence))
