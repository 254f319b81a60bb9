"""Personal data at rest: sealed under a key per member, found by blind index, erased by destroying the key."""
