"""Laws of whole networks at finite depth."""

from fracmoment.depth.law import DepthLaw
from fracmoment.depth.predictive import PriorPredictive

__all__ = ["DepthLaw", "PriorPredictive"]
