"""What happens in the simulated world on a day."""
