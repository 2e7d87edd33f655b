"""Time and error of every law beside the ways a user would otherwise take."""
