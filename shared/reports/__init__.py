"""What became of campaigns: counters by step, variant, channel and language, and what a campaign changed."""
