"""The product: a package per domain, plus storage, aws, http and observability."""
