"""What is served: bundles, versions in the registry, and the gates before them."""
