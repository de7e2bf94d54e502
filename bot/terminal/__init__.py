"""The terminal: the command line and the control socket."""
