"""What the DAG files need of Airflow: assets, connections, clear failures and task logs."""
