"""The real bot as a process, judged from outside."""
