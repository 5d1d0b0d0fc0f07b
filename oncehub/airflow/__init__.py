"""Adapters for the DAG files: Airflow's assets and connections, the hub's errors, and task logs."""
