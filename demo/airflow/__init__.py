"""The demo's Airflow: its processes, REST API and connections."""
