"""Monte Carlo of random networks and matrix products, exact in law and reproducible to the bit."""

from fracmoment.simulation.chains import simulate_log_norms

__all__ = ["simulate_log_norms"]
