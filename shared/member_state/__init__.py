"""A member is one aggregate: her state, and the pure fold that brings it forward by events and by time."""
