"""The pure core: values and rules, no input or output."""
