"""What each leaf answers about a member, by subject: the plain reading of the language."""
