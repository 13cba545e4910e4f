"""The commands: their arguments, and what they print. What is rarely needed is imported inside them."""
