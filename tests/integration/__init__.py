"""The service against a real helpdesk."""
