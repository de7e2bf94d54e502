"""Runs: opened, carried on, decided about, halted."""
