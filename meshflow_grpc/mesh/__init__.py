"""This server as a node among others: who is there, how they do, and whom to ask."""

from __future__ import annotations
