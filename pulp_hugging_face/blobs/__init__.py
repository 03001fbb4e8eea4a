"""Bytes on their way in: fills, their partial files, and readers attached to them."""
