"""What Rackhand knows and must not lose, in one SQLite database. Imports nothing else of ours."""
