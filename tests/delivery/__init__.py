"""Deliveries: webhooks, notifications, requests to helpdesks."""
