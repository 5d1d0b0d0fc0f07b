"""The `oncehub` command: the same steps that Airflow runs, without Airflow."""

from oncehub.cli.app import main

__all__ = ["main"]
