"""The openers of write transactions: events, publishing, roster, keys, connectors; and what others ask."""
