"""Tests of the simulated homelab."""
