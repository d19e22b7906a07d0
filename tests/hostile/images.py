"""Images that lie about their size or kind. Only the isolated stage process decodes them."""

import io
import struct
import zlib

from PIL import Image

from tests.hostile import HostileFile
from tests.hostile.forge import link, zipped


def chunk(kind, content):
    checksum = zlib.crc32(kind + content)
    return struct.pack(">L", len(content)) + kind + content + struct.pack(">L", checksum)


def png(width, height):
    """A PNG that declares any size and has almost no data."""
    header = struct.pack(">2L5B", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def saved(form, **options):
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, form, **options)
    return buffer.getvalue()


def animated(form):
    frames = [Image.new("RGB", (8, 8), (shade, 0, 0)) for shade in (0, 99, 199)]
    return saved(form, save_all=True, append_images=frames, duration=10)


def gif(width, height):
    return struct.pack("<6s2H3B", b"GIF89a", width, height, 0, 0, 0) + saved("GIF")[13:]


def bmp(width, height):
    data = bytearray(saved("BMP"))
    struct.pack_into("<2l", data, 18, width, height)
    return bytes(data)


def webp(width, height):
    canvas = struct.pack("<L", width - 1)[:3] + struct.pack("<L", height - 1)[:3]
    body = b"WEBP" + b"VP8X" + struct.pack("<L4B", 10, 0, 0, 0, 0) + canvas
    return b"RIFF" + struct.pack("<L", len(body)) + body


def tiff(width, height):
    data = saved("TIFF")
    for tag, new in ((256, width), (257, height)):
        for kind in (3, 4):  # of the two ways to write a whole number
            data = data.replace(
                struct.pack("<2H2L", tag, kind, 1, 8), struct.pack("<2H2L", tag, 4, 1, new)
            )
    return data


def cut(form):
    """The first half of a picture with something in it."""
    buffer = io.BytesIO()
    Image.effect_mandelbrot((200, 200), (-2, -1, 1, 1), 50).save(buffer, form)
    return buffer.getvalue()[: len(buffer.getvalue()) // 2]


def files(targets):
    svg = f'<svg xmlns="http://www.w3.org/2000/svg"><image href="file://{targets.secret}"/></svg>'
    command = f"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(%pipe%touch {targets.marker}) (w) file\n"  # noqa: E501
    pictures = {
        "png_size": (
            png(60_000, 60_000),
            "declare 3.6 billion pixels in 100 bytes",
            "more than 50 million",
        ),
        "png_below_the_limit": (
            png(7_000, 7_000),
            "declare 49 million pixels in 100 bytes",
            "is damaged",
        ),
        "png_cut": (cut("PNG"), "be cut short", "image file is truncated"),
        "jpeg_cut": (cut("JPEG"), "be cut short", "image file is truncated"),
        "gif_size": (gif(65_535, 65_535), "declare 4.3 billion pixels", "more than 50 million"),
        "gif_animated": (animated("GIF"), "be an animation", "has several pictures"),
        "bmp_size": (bmp(30_000, 30_000), "declare 900 million pixels", "more than 50 million"),
        "webp_size": (
            webp(16_383, 16_383),
            "declare 268 million pixels",
            "declares more than 50 million",
        ),
        "webp_animated": (animated("WEBP"), "be an animation", "has several pictures"),
        "tiff_size": (tiff(50_000, 50_000), "declare 2.5 billion pixels", "more than 50 million"),
        "svg": (svg.encode(), "read a local file from a drawing", "none of PNG, JPEG"),
        "eps": (command.encode(), "start Ghostscript with a program", "none of PNG, JPEG"),
        "empty": (b"", "have no bytes", "none of PNG, JPEG"),
    }
    for name, (data, tries, phrase) in pictures.items():
        members = [(f"{kind}/{name}_{i}.png", data) for kind in ("cat", "dog") for i in range(2)]
        yield HostileFile(
            f"image_{name}.zip",
            "dataset",
            tries,
            phrase,
            zipped(members),
            f"image_{name}",
            in_stage=True,
        )

    good = saved("PNG")
    honest = [("cat/a.png", good), ("dog/b.png", good)]

    def refused(name, tries, phrase, members):
        return HostileFile(
            f"images_{name}.zip", "dataset", tries, phrase, zipped(members), f"images_{name}"
        )

    yield refused(
        "traversal",
        "write above the folder",
        "'../../cat/x.png', a path",
        [*honest, ("../../cat/x.png", good)],
    )
    yield refused(
        "link",
        "show another file as an image",
        "'dog/c.png' in this zip is a symbolic",
        [*honest, (link("dog/c.png"), str(targets.secret))],
    )
    yield refused(
        "bomb",
        "unpack to 70 MB",
        "'dog/bomb.png' would unpack",
        [*honest, ("dog/bomb.png", bytes(70 * 2**20))],
    )
    yield refused(
        "one_class",
        "have nothing to tell apart",
        "All images are in one folder",
        [("cat/a.png", good)],
    )
    yield refused(
        "depths",
        "have folders within classes",
        "is not in a class's folder",
        [*honest, ("cat/deep/er/x.png", good)],
    )
