"""Python front ends of workflows: both compile to a Workflow, which the engine executes under the kernel."""

from __future__ import annotations
