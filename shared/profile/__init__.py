"""What a member's purchases say about her: daily cells, windows, tags, favourites."""
