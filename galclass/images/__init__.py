"""Pictures: packs of frames in HDF5, single pictures from disk, and the stretch that all share.

Row 0 of an array is the lowest row of the picture (y points up), as in FITS; PNG files are written and read
the other way round.
"""

from galclass.images.false_colour import false_colour_brightness, is_false_colour
from galclass.images.packs import FRAME_COLUMNS, PACK_SUFFIXES, Pack, PackFile, depth_dex, read_pack, write_pack
from galclass.images.reading import by_palette, read_brightness, read_colour, read_header, read_picture
from galclass.images.resampling import central_square, resampled
from galclass.images.stretching import stretch, unstretch
from galclass.images.writing import contact_sheet, evenly_chosen, grey_levels, png_bytes, write_png

__all__ = [
    "FRAME_COLUMNS",
    "PACK_SUFFIXES",
    "Pack",
    "PackFile",
    "by_palette",
    "central_square",
    "contact_sheet",
    "depth_dex",
    "evenly_chosen",
    "false_colour_brightness",
    "is_false_colour",
    "grey_levels",
    "png_bytes",
    "read_brightness",
    "read_colour",
    "read_header",
    "read_pack",
    "read_picture",
    "resampled",
    "stretch",
    "unstretch",
    "write_pack",
    "write_png",
]
