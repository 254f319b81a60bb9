"""Who a rule is true of: how many (preview), a page of them (search), all of them in a file (export)."""
