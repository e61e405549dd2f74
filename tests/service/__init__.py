"""The service: events, queues, deadlines, and what stays when something breaks."""
