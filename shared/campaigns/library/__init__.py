"""Ready campaigns: each with its segment, offer, texts and goal, installed as drafts."""
