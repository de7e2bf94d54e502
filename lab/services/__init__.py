"""The simulated services: one small web application each."""
