"""Power tails: index and constant, orders of finite moments, critical scales and steps."""

from fracmoment.tails.index import tail_index
from fracmoment.tails.orders import (
    FiniteOrders,
    critical_scale,
    finite_orders,
    stationary_orders,
)
from fracmoment.tails.sgd import LeastSquaresSGD, SGDPhaseDiagram, sgd_phase_diagram
from fracmoment.tails.stationary import PowerTail, next_tail_index, power_tail

__all__ = [
    "FiniteOrders",
    "LeastSquaresSGD",
    "PowerTail",
    "SGDPhaseDiagram",
    "critical_scale",
    "finite_orders",
    "next_tail_index",
    "power_tail",
    "sgd_phase_diagram",
    "stationary_orders",
    "tail_index",
]
