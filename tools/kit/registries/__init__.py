"""Container registries: what they offer, and what the docker command keeps for them."""
