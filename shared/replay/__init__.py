"""Events of the past, or imagined ones, through the engine that decides live ones: in memory, without storage."""
