"""Watching the hub from outside Airflow: its figures, the alarms they raise, and notifications of them."""
