"""Time and error of the library beside the ways a user would otherwise take."""

import os

# Before NumPy is imported, whose BLAS reads them then only: the peers are those of one thread.
for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
