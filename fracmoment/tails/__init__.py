"""Power tails: index and constant, orders of finite moments, critical scales and steps."""

from fracmoment.tails.index import tail_index
from fracmoment.tails.orders import (
    FiniteOrders,
    critical_scale,
    finite_orders,
    stationary_orders,
)
from fracmoment.tails.sgd import LeastSquaresSGD
from fracmoment.tails.stationary import PowerTail, next_tail_index, power_tail

__all__ = [
    "FiniteOrders",
    "LeastSquaresSGD",
    "PowerTail",
    "critical_scale",
    "finite_orders",
    "next_tail_index",
    "power_tail",
    "stationary_orders",
    "tail_index",
]
