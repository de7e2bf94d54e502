"""What is shown, wherever it is shown."""
