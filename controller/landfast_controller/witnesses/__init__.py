"""Witnesses of the log: what they are asked to cosign, what they have cosigned, and what they object to."""
