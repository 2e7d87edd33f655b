"""Laws of whole networks at finite depth."""

from fracmoment.depth.law import DepthLaw
from fracmoment.depth.output import OutputLaw

__all__ = ["DepthLaw", "OutputLaw"]
