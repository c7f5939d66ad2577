"""Components: what is installed, how each kind runs, and who watches them."""
