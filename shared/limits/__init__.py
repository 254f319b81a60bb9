"""How much a tenant and a credential may ask of us: plans, rates, and the leases that count calls without a write per call."""
