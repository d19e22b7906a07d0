"""Small, reproducible damage to a file: to its bytes, its members, or the values in its JSON.

A change is three whole numbers: what to do, where, and with what. Hypothesis draws lists of them
and makes them smaller when one of them finds something.
"""

import copy
import io
import json
import struct
import zipfile

from hypothesis import strategies as st

from tests.hostile.forge import zipped

CHANGES = st.lists(
    st.tuples(st.integers(0, 7), st.integers(0, 2**32 - 1), st.integers(0, 2**16 - 1)),
    min_size=1,
    max_size=6,
)
_SPANS = (1, 2, 4, 8, 64, 1_000)
_NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
_VALUES = (
    *(
        None,
        True,
        -1,
        0,
        1,
        2**31,
        2**63,
        10**400,
        1e308,
        float("nan"),
        float("inf"),
        "",
        "x" * 5_000,
    ),
    *([], {}, [[]], [None] * 40, {"class_name": "Lambda"}, {"class_name": "Dense", "config": None}),
    *("=1+1", "\x00", "\ud800", "../x", "relu", "float32", "/etc/passwd", [0, 0, 0], ["x", 0, 0]),
)


def bytes_changed(data, changes):
    """The bytes with spans overwritten, removed, repeated, filled, or exchanged."""
    out = bytearray(data)
    for what, where, value in changes:
        if not out:
            break
        place = where % len(out)
        span = _SPANS[value % len(_SPANS)]
        if what == 0:
            out[place] ^= 1 << (value % 8)
        elif what == 1:
            out[place] = value % 256
        elif what == 2:
            number = struct.pack("<I", _NUMBERS[value % len(_NUMBERS)])[: 1 + value % 4]
            out[place : place + len(number)] = number
        elif what == 3:
            del out[place : place + span]
        elif what == 4:
            out[place:place] = out[place : place + span]
        elif what == 5:
            out[place : place + span] = bytes([value % 256]) * len(out[place : place + span])
        elif what == 6:
            other = (where // 7 + value) % len(out)
            out[place : place + span] = out[other : other + span]
        elif value % 16 == 0:  # rarely: what is cut short teaches little
            del out[place:]
    return bytes(out)


def _places(node):
    """Every container in a JSON tree with each of its keys or indices."""
    items = node.items() if isinstance(node, dict) else enumerate(node)
    for key, value in list(items):
        yield node, key
        if isinstance(value, dict | list):
            yield from _places(value)


def json_changed(text, changes):
    """JSON with values exchanged for odd ones, removed, repeated, or moved."""
    tree = [json.loads(text)]
    for what, where, value in changes:
        places = list(_places(tree))
        node, key = places[where % len(places)]
        odd = copy.deepcopy(_VALUES[value % len(_VALUES)])  # or it would become part of itself
        if what <= 3 or node is tree:
            node[key] = odd
        elif what == 4:
            del node[key]
        elif what == 5 and isinstance(node, dict):
            node[str(odd)[:50]] = node.pop(key)
        elif what == 6 and isinstance(node, list):
            node.append(node[key])
        else:
            other, name = places[value % len(places)]
            node[key] = json.loads(json.dumps(other[name]))
        if not isinstance(tree[0], dict | list):
            break
    return json.dumps(tree[0], ensure_ascii=True)


def members_of(data):
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return [(name, archive.read(name)) for name in archive.namelist()]


def member_changed(data, changes):
    """A zip in which one member, or the list of members, was changed; else it is sound."""
    members = members_of(data)
    (what, where, value), *rest = changes
    number = where % len(members)
    name, content = members[number]
    if what == 7:
        members[number] = (f"{name}{value % 3}", content)
    elif what == 6:
        del members[number]
    elif name.endswith(".json") and what > 1:
        members[number] = (name, json_changed(content, rest or changes).encode())
    else:
        members[number] = (name, bytes_changed(content, rest or changes))
    return zipped(members)
