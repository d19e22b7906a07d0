"""Protocol buffers by hand: a message is a list of (field number, value).

Values are whole numbers, texts, bytes, or messages. So a SavedModel is made without TensorFlow.
"""


def number(value):
    """A varint."""
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def message(*fields):
    """The bytes of a message."""
    out = b""
    for field, value in fields:
        if isinstance(value, int):
            out += number(field << 3) + number(value)
        else:
            content = value.encode() if isinstance(value, str) else value
            out += number(field << 3 | 2) + number(len(content)) + content
    return out


def node(name, op, *inputs, function=None):
    """A ``NodeDef``; ``function`` is one that an attribute refers to."""
    fields = [(1, name), (2, op), *((3, source) for source in inputs)]
    if function is not None:
        attribute = message((10, message((1, function))))
        fields.append((5, message((1, "f"), (2, attribute))))
    return message(*fields)


def function(name, *nodes):
    """A ``FunctionDef``."""
    return message((1, message((1, name))), *((3, item) for item in nodes))


def saved_model(*functions, entry="serve", captured=(), tags=("serve",), signature=True):
    """A ``saved_model.pb`` with a library of functions, of which ``entry`` is served.

    Args:
        functions: of the library.
        entry: name of the function that the signature calls.
        captured: kinds of objects that it uses: numbers of the field in ``SavedObject``.
        tags: of its graph.
        signature: whether it has one.
    """
    children = message((1, 1), (2, "signatures")), message((1, 2), (2, "serving_default"))
    generic = message((4, message((1, "_generic_user_object"))))
    root = message((1, children[0]), (4, message((1, "_generic_user_object"))))
    signatures = message((1, children[1]), (4, message((1, "signature_map"))))
    served = message((8, message((1, entry))))
    nodes = [root if signature else generic, signatures, served]
    nodes += [message((field, b"")) for field in captured]
    bound = [(2, 3 + i) for i in range(len(captured))]
    concrete = message((1, entry), (2, message(*bound)))
    objects = message(*((1, item) for item in nodes), (2, concrete))
    library = message(*((1, item) for item in functions))
    meta = message(
        (1, message(*((4, tag) for tag in tags))), (2, message((2, library))), (7, objects)
    )
    return message((1, 1), (2, meta))
