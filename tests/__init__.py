"""Tests of Rackhand, laid out like the source."""
