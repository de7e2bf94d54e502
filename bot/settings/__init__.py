"""Settings, the people they name, and the log."""
