"""From a commit to the bus: envelopes, the catalogue of events, and the relay itself."""
