"""The sentence for those who read or write Parquet without pyarrow."""

from __future__ import annotations


def require_pyarrow() -> None:
    """Import pyarrow, or say which extra brings it.

    Raises:
        ImportError: pyarrow is not installed.
    """
    try:
        import pyarrow  # noqa: F401 - only whether it is there
    except ImportError as error:
        raise ImportError("Parquet needs pyarrow: pip install 'tinymagic[fast]', or use JSON instead.") from error
