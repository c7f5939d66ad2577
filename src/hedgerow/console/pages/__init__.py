"""The pages, on NiceGUI. What they show comes from `views`, what they need from a `Watch`."""
