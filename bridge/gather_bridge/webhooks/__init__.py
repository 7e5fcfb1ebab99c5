"""Delivery of events to webhooks: registrations, guarded addresses, signatures."""
