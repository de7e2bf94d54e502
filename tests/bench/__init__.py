"""Speed, memory and size, ours beside what a peer or the plainest thing needs. Nothing is asserted."""
