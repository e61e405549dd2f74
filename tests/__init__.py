"""Every test of the service, the slow ones marked."""
