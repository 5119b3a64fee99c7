"""How far generated images are from real ones: pure functions of images or features."""
