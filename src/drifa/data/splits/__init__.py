"""Splits by whole groups, and the receipts that prove them."""
