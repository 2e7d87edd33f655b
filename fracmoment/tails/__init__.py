"""Power tails: index and constant, orders of finite moments, critical scales and steps."""

from fracmoment.tails.index import tail_index
from fracmoment.tails.sgd import LeastSquaresSGD

__all__ = ["LeastSquaresSGD", "tail_index"]
