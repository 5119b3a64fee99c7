"""Huge images cut into tiles, whether they lie on the disk, in an archive, on a web server or on a server of map tiles.

`survey.Survey` looks at one image and gives a `Scene`, `strips.cut` the tasks that cut it. `remote.Remote` is an image
at a web address, `xyz.Xyz` all map tiles in a box. GDAL is loaded when the first image is looked at.
"""
