"""Scenarios that tell whether a runtime keeps the product's promises, through the face that its users see."""
