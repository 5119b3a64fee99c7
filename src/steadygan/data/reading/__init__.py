"""From the bytes of an image file to a square picture of 8 bits."""
