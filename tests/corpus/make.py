"""Writes the corpus: every abuse by name. cd tests; python -m corpus.make

A file `whole...` must be read, `either...` may be, any other is refused. What fuzzing has found,
`found...`, is kept by hand.
"""

from __future__ import annotations

import gzip
import io
import json
import lzma
import pickle
import struct
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import baregrad as bg
import formats
import numpy as np
from baregrad import keras
from baregrad.train.checkpoint import Course, save_checkpoint

BILLION = 10**9


# idx and CIFAR


def idx(shape: tuple[int, ...], content: bytes) -> bytes:
    return bytes((0, 0, 8, len(shape))) + np.array(shape, ">u4").tobytes() + content


def of_idx() -> Iterator[tuple[str, bytes]]:
    whole = idx((2, 3, 4), bytes(24))
    packed = gzip.compress(whole, mtime=0)
    yield "whole.idx", whole
    yield "whole.idx.gz", packed
    yield (
        "whole-two-members.idx.gz",
        gzip.compress(whole[:9], mtime=0) + gzip.compress(whole[9:], mtime=0),
    )
    yield "empty.idx", b""
    yield "truncated.idx", whole[:-1]
    yield "goes-on.idx", whole + b"x"
    yield "other-type.idx", b"\0\0\x0d" + whole[3:]
    yield "other-axes.idx", idx((24,), bytes(24))
    yield "huge.idx", idx((2**32 - 1,) * 3, bytes(24))
    yield "nothing-of-much.idx", idx((2**32 - 1, 2**32 - 1, 0), b"")
    yield "wraps-to-0.idx", idx((2**31, 2**31, 4), b"")
    yield "truncated.idx.gz", packed[:-9]
    yield "wrong-sum.idx.gz", packed[:-8] + bytes(8)
    yield "no-gzip.idx.gz", whole
    yield "endless-name.idx.gz", b"\x1f\x8b\x08\x08" + bytes(6) + b"x" * 3000
    yield "bomb.idx.gz", bomb(idx((1000, 1000, 1000), b""), 900)
    yield "bomb.idx.xz", lzma.compress(idx((1000, 1000, 1000), b"") + bytes(20_000_000))
    yield (
        "huge-dictionary.idx.xz",
        lzma.compress(whole[:-1], filters=[{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 30}]),
    )


def bomb(start: bytes, megabytes: int) -> bytes:
    """A gzip of gzips: each member unpacks to a megabyte of zeros, and costs a kilobyte."""
    return gzip.compress(start, mtime=0) + gzip.compress(bytes(1 << 20), mtime=0) * min(
        megabytes, 3
    )


def tar(members: list[tuple[str, bytes]], options: bytes = b"") -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return file.getvalue()


def member(kind: bytes, size: int) -> bytes:
    """The header of a member that claims to be so long."""
    info = tarfile.TarInfo("cifar-100-binary/train.bin")
    info.type, info.size = kind, size
    return info.tobuf(tarfile.GNU_FORMAT)


def of_cifar() -> Iterator[tuple[str, bytes]]:
    names = " ".join(f"c{n}" for n in range(100)).encode()
    folder = "cifar-100-binary"
    files = [("train.bin", bytes(5 * 3074)), ("test.bin", bytes(3074))]
    members = [(f"{folder}/{name}", content) for name, content in files]
    last = (f"{folder}/fine_label_names.txt", names)
    whole = tar([*members, last])

    def packed(content: bytes) -> bytes:
        return gzip.compress(content, mtime=0)

    extended = tarfile.TarInfo.create_pax_global_header({"a": "b"})
    yield "whole.tar.gz", packed(whole)
    yield "truncated.tar.gz", packed(whole)[:-30]
    yield "no-member.tar.gz", packed(tar(members))
    yield "short-member.tar.gz", packed(tar([*members[:1], (members[1][0], b"x"), last]))
    yield "other-text.tar.gz", packed(tar([*members, (last[0], b"\xff\xfe" * 20)]))
    yield "outside.tar.gz", packed(tar([("../../x", b"x")]))
    yield "many-members.tar.gz", packed(tar([("x", b"")] * 1500))
    yield "huge-member.tar.gz", packed(member(tarfile.REGTYPE, 2**62))
    yield "huge-extended.tar.gz", packed(member(tarfile.XHDTYPE, 2**33) + bytes(2048))
    yield "nested-extended.tar.gz", packed(extended * 900)
    endless = b"1" * 30 + b" a=b\n"
    yield (
        "long-extended.tar.gz",
        packed(member(tarfile.XHDTYPE, len(endless)) + endless + bytes(999)),
    )
    yield "bomb.tar.gz", packed(member(tarfile.GNUTYPE_LONGNAME, 2**30)) + bomb(b"", 3)


# NumPy's


def npy(header: str, content: bytes = b"", version: bytes = b"\1\0") -> bytes:
    text = header.encode("latin-1") + b"\n"
    return b"\x93NUMPY" + version + struct.pack("<H", len(text)) + text + content


def declared(descr: str, shape: str, fortran: bool = False) -> str:
    return f"{{'descr': {descr}, 'fortran_order': {fortran}, 'shape': {shape}, }}"


def whole_npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def archive(members: list[tuple[str, bytes]], method: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as packed:
        for name, content in members:
            packed.writestr(zipfile.ZipInfo(name), content, method)
    return file.getvalue()


def of_npz() -> Iterator[tuple[str, bytes]]:
    y = whole_npy(np.arange(10) % 2)
    x = whole_npy(np.arange(20.0).reshape(10, 2))
    deflated = zipfile.ZIP_DEFLATED
    whole = archive([("x.npy", x), ("y.npy", y)])

    def of_x(content: bytes, method: int = zipfile.ZIP_STORED) -> bytes:
        return archive([("x.npy", content), ("y.npy", y)], method)

    yield "whole.npz", whole
    yield "whole-packed.npz", of_x(x, deflated)
    yield "whole-fortran.npz", of_x(whole_npy(np.asfortranarray(np.zeros((10, 2)))))
    yield "whole-other-way-round.npz", of_x(whole_npy(np.zeros((10, 2), ">f4")))
    texts = whole_npy(np.array(list("abababbaab")))
    yield "whole-text.npz", archive([("x.npy", x), ("y.npy", texts)])
    yield "whole-other-names.npz", archive([("x.npy", x), ("y.npy", y), ("../../z.npy", b"junk")])
    yield "whole.npy", x
    yield "empty.npz", b""
    yield "no-member.npz", archive([])
    yield "truncated.npz", whole[:-40]
    yield "cut-in-front.npz", whole[40:]
    yield "twice.npz", two_of_a_name(x, y)
    yield "object.npz", of_x(npy(declared("'|O'", "(10, 2)"), pickle.dumps([1])))
    yield "pickle.npz", of_x(pickle.dumps([1]))
    yield "structured.npz", of_x(npy(declared("[('a', '<f8'), ('b', '<f8')]", "(10,)"), bytes(160)))
    yield "dates.npz", of_x(whole_npy(np.zeros((10, 2), "M8[s]")))
    yield "complex.npz", of_x(whole_npy(np.zeros((10, 2), complex)))
    yield "no-width.npz", of_x(npy(declared("'<U0'", f"({BILLION}, 1000)")))
    yield "wide-text.npz", of_x(npy(declared("'<U100000000'", "(10, 2)")))
    yield "negative.npz", of_x(npy(declared("'<f8'", "(-10, -2)"), bytes(160)))
    whole_options, others = b"\5\0\x5d", b"\5\0\xff"
    yield "lzma-options.npz", of_x(x, zipfile.ZIP_LZMA).replace(whole_options, others, 1)
    yield "huge.npz", of_x(npy(declared("'<f8'", f"({2**63}, 2)"), bytes(160)))
    yield "wraps.npz", of_x(npy(declared("'<f8'", f"({2**61 + 10}, 2)"), bytes(160)))
    yield "large.npz", of_x(npy(declared("'<f8'", f"({BILLION}, 2)"), bytes(160)))
    yield "code.npz", of_x(npy(declared("'<f8'", "(print(1),)"), bytes(160)))
    yield "nested.npz", of_x(npy("(" * 3000 + ")" * 3000), deflated)
    yield "long-header.npz", of_x(npy(declared("'<f8'", "(10, 2)") + " " * 60_000), deflated)
    yield "not-finite.npz", of_x(whole_npy(np.full((10, 2), np.nan)))
    yield "too-large-for-float32.npz", of_x(whole_npy(np.full((10, 2), 1e300)))
    yield (
        "no-character.npz",
        archive([("x.npy", x), ("y.npy", npy(declared("'<U1'", "(10,)"), b"\xff" * 40))]),
    )
    yield "other-lengths.npz", archive([("x.npy", x), ("y.npy", whole_npy(np.zeros(9)))])
    yield "no-axis.npz", archive([("x.npy", whole_npy(np.array(1.0))), ("y.npy", y)])
    parts = [(f"{n}.npy", whole_npy(np.array(1.0))) for n in formats.data.tables._OF_KERAS]
    yield "no-axis-of-keras.npz", archive(parts)
    for name, place, value in (
        ("wrong-sum", 14, b"\1\2\3\4"),
        ("encrypted", 6, b"\1\0"),
        ("other-method", 8, b"\x63\0"),
        ("bzip2", 8, b"\x0c\0"),
        ("lzma", 8, b"\x0e\0"),
    ):
        yield f"{name}.npz", patched(whole, place, value)
    yield (
        "bomb.npz",
        of_x(npy(declared("'|u1'", "(10, 2000000)"), bytes(20_000_000)), deflated)[:4000],
    )
    yield "claims-a-gigabyte.npz", claims(of_x(x, deflated), 1 << 30)
    yield "large-directory.npz", zip_of_many()
    yield "large.npy", npy(declared("'<f8'", f"({BILLION}, 2)"), bytes(160))
    yield "object.npy", npy(declared("'|O'", "(1,)"), pickle.dumps([1]))
    yield "empty.npy", b""


def two_of_a_name(x: bytes, y: bytes) -> bytes:
    return archive([("x.npy", x), ("y.npy", y), ("z.npy", x)]).replace(b"z.npy", b"x.npy")


def patched(whole: bytes, place: int, value: bytes) -> bytes:
    """With other bytes in the first local header and in its entry of the directory, 2 further on."""
    content = bytearray(whole)
    entry = whole.index(b"PK\1\2")
    for start in (place, entry + 2 + place):
        content[start : start + len(value)] = value
    return bytes(content)


def claims(whole: bytes, size: int) -> bytes:
    """With another size of the first member in the directory."""
    entry = whole.index(b"PK\1\2")
    return whole[: entry + 24] + struct.pack("<I", size) + whole[entry + 28 :]


def zip_of_many() -> bytes:
    """An end that says that its directory has 4 GB."""
    end = archive([])
    return bytes(100) + end[:8] + struct.pack("<HHII", 65535, 65535, 2**32 - 2, 0) + end[20:]


def directory(count: int) -> bytes:
    """An archive with so many entries, all of one empty member."""
    whole = archive([("x", b"")])
    start, end = whole.index(b"PK\1\2"), whole.index(b"PK\5\6")
    entries = whole[start:end] * count
    sizes = struct.pack("<HHII", min(count, 65535), min(count, 65535), len(entries), start)
    return whole[:start] + entries + whole[end : end + 8] + sizes + bytes(2)


# Tables


def of_csv() -> Iterator[tuple[str, bytes]]:
    rows = "".join(f"{n},{'ab'[n % 2]},{n % 3}\n" for n in range(30))
    whole = f"n,t,y\n{rows}".encode()
    yield "whole.csv", whole
    yield "whole-only-cr.csv", whole.replace(b"\n", b"\r")
    yield "whole-crlf.csv", b"\xef\xbb\xbf" + whole.replace(b"\n", b"\r\n")
    yield "whole-other-digits.csv", b"n,y\n" + "\u0663,1\n\u0664,0\n".encode() * 10
    yield "empty.csv", b""
    yield "only-names.csv", b"n,t,y\n"
    yield "no-target.csv", b"n,t\n1,2\n" * 5
    yield "twice.csv", b"n,n,y\n" + b"1,2,3\n" * 9
    yield "ragged.csv", whole + b"1,2\n"
    yield "open-quote.csv", whole + b'"1,a,0\n'
    yield "quote-inside.csv", whole + b'"1"x,a,0\n'
    yield "either-zero-bytes.csv", whole.replace(b"a", b"\0")[:-1] + b"\0"
    yield "no-utf8.csv", whole + b"\xff\xfe,a,0\n"
    yield "utf16.csv", whole.decode().encode("utf-16")
    yield "whole-huge-integer.csv", b"n,y\n" + b"1,2\n" * 9 + b"1," + b"9" * 3000 + b"x\n"
    yield "overflow.csv", b"n,y\n" + b"1e39,1\n" * 10
    yield "infinite.csv", b"n,y\n" + b"inf,1\n" * 10
    yield "all-missing.csv", b"n,y\n" + b"NA,1\n" * 10
    yield "no-inputs.csv", b"y\n" + b"1\n" * 10


# PNG


def chunk(kind: bytes, content: bytes) -> bytes:
    return (
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
    )


def png(width: int, height: int, depth: int, colour: int, pixels: bytes, *others: bytes) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    image = chunk(b"IDAT", zlib.compress(pixels, 9))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(others) + image + chunk(b"IEND", b"")


def drawing(channels: int = 1, depth: int = 8) -> bytes:
    """8x8 pixels, every line after its filter byte: a bar."""
    line = [0, 0, 255, 255, 0, 0, 0, 0]
    width = channels * depth // 8
    return b"".join(b"\0" + bytes(v for v in line for _ in range(width)) for _ in range(8))


def of_png() -> Iterator[tuple[str, bytes]]:
    whole = png(8, 8, 8, 0, drawing())
    palette = chunk(b"PLTE", bytes(range(256)) * 3)
    yield "whole.png", whole
    yield "whole-colour.png", png(8, 8, 8, 2, drawing(3))
    yield "whole-transparent.png", png(8, 8, 8, 6, drawing(4))
    yield "whole-16-bit.png", png(8, 8, 16, 0, drawing(1, 16))
    yield "whole-palette.png", png(8, 8, 8, 3, drawing(), palette, chunk(b"tRNS", bytes(9)))
    turned = b"II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0\6\0\0\0\0\0\0\0"
    yield "whole-turned.png", png(8, 8, 8, 0, drawing(), chunk(b"eXIf", turned))
    frames = chunk(b"acTL", struct.pack(">II", 2**31 - 1, 0))
    yield "whole-animated.png", png(8, 8, 8, 0, drawing(), frames)
    yield "empty.png", b""
    yield "truncated.png", whole[:50]
    yield "wrong-sum.png", whole[:20] + b"\1" + whole[21:]
    yield "whole-no-palette.png", png(8, 8, 8, 3, drawing())
    yield "no-pixels.png", png(0, 0, 8, 0, b"")
    yield "other-depth.png", png(8, 8, 3, 0, drawing())
    yield "bomb.png", png(60_000, 60_000, 8, 0, bytes(3_000_000))
    yield "bomb-16-bit.png", png(5_000, 4_000, 16, 0, bytes(3_000_000))
    yield "bomb-palette.png", png(3_000, 3_000, 8, 3, bytes(3_000_000), palette)
    yield "wide.png", png(2**31 - 1, 1, 1, 0, b"")
    text = zlib.compress(b"x" * (1 << 20), 9)
    yield "whole-text.png", png(8, 8, 8, 0, drawing(), *[chunk(b"zTXt", b"k\0\0" + text[:400])] * 5)
    yield "texts.png", png(8, 8, 8, 0, drawing(), *[chunk(b"zTXt", b"k\0\0" + text)] * 3)[:3000]
    yield "claims-a-chunk.png", whole[:33] + struct.pack(">I", 2**31 - 1) + b"tEXt" + bytes(50)
    yield "blank.png", png(50, 50, 8, 0, bytes(51 * 50))
    yield "postscript.png", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n"


# safetensors


def tensors(header: object, content: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + content


def f32(*shape: int, start: int = 0, end: int | None = None) -> dict[str, object]:
    end = start + 4 * int(np.prod(shape, dtype=object)) if end is None else end
    return {"dtype": "F32", "shape": list(shape), "data_offsets": [start, end]}


def made(layer: object) -> bytes:
    """A file with the numbers of a Linear(4, 2) whose header names another network."""
    said = layer if isinstance(layer, str) else json.dumps(layer)
    header = {"__metadata__": {"baregrad": said}, "weight": f32(2, 4), "bias": f32(2, start=32)}
    return tensors(header, bytes(40))


def layer(name: str, *args: object, **kwargs: object) -> dict[str, object]:
    return {"layer": name, "args": list(args), "kwargs": kwargs}


def saved(folder: Path, model: object, **metadata: str) -> bytes:
    bg.save(model, folder / "m.safetensors", metadata)
    return (folder / "m.safetensors").read_bytes()


def of_safetensors() -> Iterator[tuple[str, bytes]]:
    bg.manual_seed(0)
    said = {"shape": [4], "flat": True, "mean": [0.0] * 4, "deviation": [1.0] * 4}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = bg.nn.Sequential(bg.nn.Linear(4, 8), bg.nn.BatchNorm1d(8), bg.nn.Linear(8, 2))
        yield "whole-model.safetensors", saved(folder, model)
        yield (
            "whole-tensors.safetensors",
            saved(folder, {"a/../b": np.zeros(3), "b": np.array(True)}),
        )
        yield "whole-empty.safetensors", saved(folder, {})
        known = {"preprocess": json.dumps(said), "classes": '["a", "b"]'}
        yield "whole-network.safetensors", saved(folder, model, **known)
        for name, change in (
            ("no-list", {"shape": 4}), ("negative", {"shape": [-4]}), ("huge", {"shape": [10**9] * 3}),
            ("large-image", {"image": [3, 10**6, 10**6]}), ("mean-of-text", {"mean": "abcd"}),
            ("deviation-0", {"deviation": [0.0] * 4}), ("infinite", {"mean": [1e999] * 4}),
            ("columns", {"columns": [{"name": 3}]}), ("texts", {"columns": [{"texts": [1]}]}),
            ("target", {"target": []}), ("ink", {"ink": 10**9}), ("flat", {"flat": "yes"}),
        ):  # fmt: skip
            text = json.dumps({**said, **change})
            told = {**known, "preprocess": text}
            yield f"inputs-{name}.safetensors", saved(folder, model, **told)
        for name, text in (("nested", "[" * 1500), ("no-names", "[1]"), ("no-list", '"ab"')):
            yield f"classes-{name}.safetensors", saved(folder, model, **{**known, "classes": text})
        net = keras.Sequential([keras.layers.Dense(2, input_dim=4)])
        net.save(folder / "k.safetensors")
        whole = (folder / "k.safetensors").read_bytes()
    yield "whole-keras.safetensors", whole
    length = struct.unpack("<Q", whole[:8])[0]
    header = json.loads(whole[8 : 8 + length])
    told = json.loads(header["__metadata__"]["keras"])
    dense = told["layers"][0]
    for name, change in (
        ("units", {"layers": [{**dense, "units": BILLION}]}),
        ("class", {"layers": [{**dense, "class": "Layer"}]}),
        ("word", {"layers": [{**dense, "word": 1}]}),
        ("no-layers", {"layers": 3}),
        ("large-image", {
            "layers": [{"class": "MaxPooling2D", "pool_size": 1, "strides": None}],
            "input_shape": [10**6, 10**6, 3],
        }),
        ("optimizer", {"compile": {"optimizer": 3, "loss": "mse", "metrics": []}}),
    ):  # fmt: skip
        other = {**header, "__metadata__": {"keras": json.dumps({**told, **change})}}
        yield f"keras-{name}.safetensors", tensors(other, whole[8 + length :])
    yield "empty.safetensors", b""
    yield "truncated.safetensors", whole[:-1]
    yield "goes-on.safetensors", whole + b"x"
    yield "long-header.safetensors", struct.pack("<Q", 2**63) + whole[8:]
    yield "header-of-50-mb.safetensors", struct.pack("<Q", 50_000_000) + whole[8:]
    yield "no-json.safetensors", tensors(b"{nothing")
    yield "nested.safetensors", tensors(b'{"a":' + b"[" * 3000)
    yield "overlapping.safetensors", tensors({"a": f32(4), "b": f32(4, start=8)}, bytes(24))
    yield "hole.safetensors", tensors({"a": f32(4), "b": f32(4, start=20)}, bytes(36))
    yield "twice.safetensors", tensors(b'{"a":%s,"a":%s}' % ((json.dumps(f32(4)).encode(),) * 2))
    yield "other-length.safetensors", tensors({"a": f32(4, end=12)}, bytes(12))
    yield "huge.safetensors", tensors({"a": f32(2**62, 4, end=16)}, bytes(16))
    yield "nothing-of-much.safetensors", tensors({"a": f32(0, 2**63 - 1, 2**40, end=0)})
    yield "negative.safetensors", tensors({"a": f32(-4, -1, end=16)}, bytes(16))
    yield (
        "infinite.safetensors",
        tensors(b'{"a":{"dtype":"F32","shape":[NaN],"data_offsets":[0,4]}}'),
    )
    half = {"dtype": "F16", "shape": [2], "data_offsets": [0, 4]}
    yield "other-type.safetensors", tensors({"a": half}, bytes(4))
    yield "metadata-of-numbers.safetensors", tensors({"__metadata__": {"a": 1}})
    yield "pickle.safetensors", pickle.dumps({"a": 1}, 2)
    yield "torch.pt", archive([("archive/data.pkl", pickle.dumps({}, 2))])
    for name, network in (
        ("wide", layer("Linear", 10**12, 10**12)),
        ("large", layer("Linear", 100_000, 100_000)),
        ("large-norm", layer("BatchNorm1d", BILLION)),
        ("large-layer-norm", layer("LayerNorm", [10**5, 10**5])),
        ("large-embedding", layer("Embedding", BILLION, 4)),
        ("large-window", layer("Conv2d", 4, 2, 100_000)),
        ("many", layer("Sequential", *[layer("Linear", 4, 2)] * 60)),
        ("outside", layer("os.system", "true")),
        ("base", layer("Module")),
        ("hidden", layer("__import__", "os")),
        ("no-text", {"layer": ["Linear"], "args": [], "kwargs": {}}),
        ("words", layer("Linear", 4, 2, __class__="x")),
        ("nested", '{"layer":"Sequential","args":[' * 60 + "]},".join([""] * 60)),
        ("nested-lists", "[" * 3000),
        ("infinite", '{"layer":"Linear","args":[4,1e999],"kwargs":{}}'),
        ("long-integer", '{"layer":"Linear","args":[4,' + "9" * 3000 + '],"kwargs":{}}'),
    ):
        yield f"model-{name}.safetensors", made(network)


# Checkpoints


def of_checkpoint() -> Iterator[tuple[str, bytes]]:
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "c"
        model, optimizer, _, loader = formats.training()
        model(bg.tensor(np.ones((4, 2), np.float32))).sum().backward()
        optimizer.step()
        save_checkpoint(path, model, optimizer, None, loader, Course())
        whole = path.read_bytes()
    length = struct.unpack("<Q", whole[:8])[0]
    header, content = json.loads(whole[8 : 8 + length]), whole[8 + length :]
    text = header["__metadata__"]["baregrad.fit"]

    def told(other: str) -> bytes:
        return tensors({**header, "__metadata__": {"baregrad.fit": other}}, content)

    yield "whole.ckpt", whole
    yield "truncated.ckpt", whole[:-1]
    yield "no-tree.ckpt", tensors({**header, "__metadata__": {}}, content)
    yield "no-json.ckpt", told(text[:-1])
    yield "nested.ckpt", told('{"list":[' * 150 + "]}" * 150)
    yield "deeply-nested.ckpt", told("[" * 1500)
    for name, old, new in (
        ("no-tensor", '"tensor": "model.0.weight"', '"tensor": "nowhere"'),
        ("other-kind", '"tensor": "model.0.weight"', '"tuple": 3'),
        ("two-kinds", '{"tensor": "model.0.weight"}', '{"a": 1, "b": 2}'),
        ("no-pairs", '["step", 1]', '["step", 1, 2]'),
        ("key-of-lists", '["step", 1]', '[["step"], 1]'),
        ("step-of-text", '["step", 1]', '["step", "x"]'),
        ("step-nan", '["step", 1]', '["step", NaN]'),
        ("step-infinite", '["step", 1]', '["step", Infinity]'),
        ("rate-of-text", '["lr", 0.001]', '["lr", "fast"]'),
        ("rate-nan", '["lr", 0.001]', '["lr", NaN]'),
        ("other-optimizer", '"Adam"', '"SGD"'),
        ("other-generator", '"Philox"', '"PCG64"'),
        ("other-kernels", '["kernels", {"list": [0, 0]}]', '["kernels", {"list": ["x", 0]}]'),
        ("three-kernels", '["kernels", {"list": [0, 0]}]', '["kernels", {"list": [0, 0, 0]}]'),
        ("other-word", '["waited", 0]', '["word", 0]'),
        ("waited-text", '["waited", 0]', '["waited", "x"]'),
        ("history-of-text", '{"tensor": "course.history.seconds"}', '"x"'),
    ):
        assert old in text, (name, text)
        yield f"{name}.ckpt", told(text.replace(old, new))


KINDS = {
    "checkpoint": of_checkpoint,
    "cifar": of_cifar,
    "csv": of_csv,
    "idx": of_idx,
    "npz": of_npz,
    "png": of_png,
    "safetensors": of_safetensors,
}


def main() -> None:
    for kind, files in KINDS.items():
        folder = formats.CORPUS / kind
        folder.mkdir(exist_ok=True)
        for name, content in files():
            if len(content) >= 4096:
                print(f"{kind}/{name}: {len(content):,} bytes, expected fewer than 4,096")
            (folder / name).write_bytes(content)


if __name__ == "__main__":
    main()
