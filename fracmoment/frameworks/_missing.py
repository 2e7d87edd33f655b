"""The error of an adapter whose framework is not installed."""

from __future__ import annotations


def missing(framework: str, error: ModuleNotFoundError) -> ModuleNotFoundError:
    """Return an error that names the extra, or the error itself if another module is missing."""
    if error.name != framework:
        return error
    message = (
        f"fracmoment.frameworks.{framework} needs {framework}, which is not installed:"
        f" pip install 'fracmoment[{framework}]'"
    )
    return ModuleNotFoundError(message, name=framework)
