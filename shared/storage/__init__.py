"""DynamoDB, and nothing else talks to it: keys, items, tables, and the one function that commits."""
