"""What each leaf of a segment's rule is as JSON, by subject. Importing one subject imports no other."""
