"""The only outgoing network: actions delivered, helpdesks polled."""
