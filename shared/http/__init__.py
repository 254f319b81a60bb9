"""HTTP as a shell: the route table, the principal, problem+json, and the one dispatcher."""
