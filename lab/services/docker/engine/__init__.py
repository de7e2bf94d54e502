"""The state of simulated Docker hosts and what can be done to it, without any HTTP."""
