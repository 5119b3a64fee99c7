"""The studio: a local web app over a folder of runs. It reads run folders and starts work through the command line."""
