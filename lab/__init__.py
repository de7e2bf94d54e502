"""The lab: a whole simulated homelab on loopback, for the demo and the tests."""
