"""The same task, done by ours and by each peer, in a process of its own. Peers run in environments without ours."""
