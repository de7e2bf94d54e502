"""Tests of the services and of what they stand on."""
