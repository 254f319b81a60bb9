"""The wallet: lots of points with their instants, the ledger that proves the balance, holds."""
