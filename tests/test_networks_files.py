"""Reading weight files: what is accepted, and that hostile files end in one line."""

from __future__ import annotations

import contextlib
import io
import json
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from fracmoment.networks import NetworkFileError, open_tensors, read_inputs


def write_safetensors(path: Path, header: object, data: bytes = b"", length: int | None = None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text) if length is None else length) + text + data)
    return path


def entry(dtype="F32", shape=(2, 2), offsets=(0, 16)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


def refusal(path: Path, name: str | None = None) -> str:
    def load() -> None:
        file = open_tensors(path)
        file.load(next(iter(file.tensors)) if name is None else name)

    with pytest.raises(NetworkFileError) as caught:
        load()
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(str(path))
    return message


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_what_the_format_s_library_writes_is_read(tmp_path, dtype):
    rng = np.random.default_rng(1)
    tensors = {"b": rng.normal(size=(3, 5)).astype(dtype), "a": rng.normal(size=4).astype(dtype)}
    save_file(tensors, tmp_path / "w.safetensors", metadata={"made": "by a test"})
    file = open_tensors(tmp_path / "w.safetensors")
    assert set(file.tensors) == {"a", "b"}
    for name, values in tensors.items():
        loaded = file.load(name)
        assert loaded.dtype == np.float64
        assert np.array_equal(loaded, values.astype(np.float64))


def test_bfloat16_is_the_upper_half_of_float32(tmp_path):
    values = np.array([1.0, -2.5, 0.15625, 3.0e38], dtype=np.float32)
    upper = (values.view(np.uint32) >> 16).astype("<u2")
    path = write_safetensors(
        tmp_path / "w.safetensors", {"w": entry("BF16", (2, 2), (0, 8))}, upper.tobytes()
    )
    expected = (upper.astype(np.uint32) << 16).view(np.float32).astype(np.float64)
    assert np.array_equal(open_tensors(path).load("w").ravel(), expected)
    assert expected[1] == -2.5


HOSTILE = {
    "a name twice": b'{"w": {"dtype":"F32","shape":[0],"data_offsets":[0,0]},'
    b' "w": {"dtype":"F32","shape":[0],"data_offsets":[0,0]}}',
    "no JSON": b"\xff\xfe{",
    "deep nesting": b"[" * 100_000,
    "huge integer": b'{"w": {"dtype":"F32","shape":[' + b"9" * 5000 + b'],"data_offsets":[0,16]}}',
    "a list": [1, 2],
    "an entry that is no object": {"w": 3},
    "no offsets": {"w": {"dtype": "F32", "shape": [2, 2]}},
    "unknown dtype": {"w": entry("F31")},
    "dtype that is no text": {"w": entry(["F32"])},
    "negative axis": {"w": entry(shape=(-2, -2))},
    "fractional axis": {"w": entry(shape=(2.0, 2))},
    "boolean axis": {"w": entry(shape=(True, 4))},
    "too many axes": {"w": entry(shape=(1,) * 1000)},
    "shape beyond the data": {"w": entry(shape=(2**31, 2**31))},
    "offsets reversed": {"w": entry(offsets=(16, 0))},
    "offsets beyond the file": {"w": entry(shape=(4, 2), offsets=(0, 32))},
    "a hole at the start": {"w": entry(shape=(1, 2), offsets=(8, 16))},
    "overlap": {"w": entry(), "v": entry(shape=(1, 2), offsets=(8, 16))},
    "a hole": {"w": entry(shape=(1, 1), offsets=(0, 4)), "v": entry("F32", (1, 2), (8, 16))},
    "bytes after the last tensor": {"w": entry(shape=(1, 2), offsets=(0, 8))},
    "metadata only": {"__metadata__": {"a": "b"}},
    "integers as weights": {"w": entry("I32")},
    "half bytes": {"w": entry("F4", (2, 2), (0, 2))},
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_headers_are_one_line_errors(tmp_path, case):
    refusal(write_safetensors(tmp_path / "w.safetensors", HOSTILE[case], bytes(16)), "w")


@pytest.mark.parametrize("length", [0, 4, 7, 8, 20, 60, 80])
def test_truncated_files_are_refused(tmp_path, length):
    path = write_safetensors(tmp_path / "w.safetensors", {"w": entry()}, bytes(16))
    whole = path.read_bytes()
    assert length < len(whole)
    path.write_bytes(whole[:length])
    refusal(path)


def test_oversized_header_is_refused_before_it_is_read(tmp_path):
    path = write_safetensors(tmp_path / "w.safetensors", {}, length=2**63)
    assert "limit" in refusal(path)
    path = write_safetensors(tmp_path / "v.safetensors", {}, length=10_000)
    assert "truncated" in refusal(path)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_counted(tmp_path, bad):
    weights = np.ones((3, 3), dtype=np.float32)
    weights[1, 2] = bad
    save_file({"w": weights}, tmp_path / "w.safetensors")
    assert "1 of 9" in refusal(tmp_path / "w.safetensors")


def test_tensors_without_elements_are_refused(tmp_path):
    save_file({"w": np.ones((0, 3), dtype=np.float32)}, tmp_path / "w.safetensors")
    assert "no elements" in refusal(tmp_path / "w.safetensors")


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(position=st.integers(0, 200), byte=st.integers(0, 255), cut=st.integers(0, 200))
def test_no_damage_escapes_the_reader(tmp_path, position, byte, cut):
    path = tmp_path / "w.safetensors"
    write_safetensors(path, {"w": entry(), "v": entry("F64", (2,), (16, 32))}, bytes(32))
    whole = bytearray(path.read_bytes())
    whole[position % len(whole)] = byte
    path.write_bytes(bytes(whole[: len(whole) - cut % len(whole)]))
    with contextlib.suppress(NetworkFileError):
        file = open_tensors(path)
        for name in file.tensors:
            file.load(name)


# ---------------------------------------------------------------- npz


def test_npz_in_both_orders_and_all_types(tmp_path):
    rng = np.random.default_rng(2)
    arrays = {
        "half": rng.normal(size=(3, 2)).astype(np.float16),
        "big_endian": rng.normal(size=(2, 3)).astype(">f4"),
        "fortran": np.asfortranarray(rng.normal(size=(4, 5))),
    }
    np.savez_compressed(tmp_path / "w.npz", **arrays)
    file = open_tensors(tmp_path / "w.npz")
    assert list(file.tensors) == list(arrays)
    for name, values in arrays.items():
        assert np.array_equal(file.load(name), values.astype(np.float64))


def test_objects_are_never_unpickled(tmp_path):
    class Trap:
        def __reduce__(self):
            return (Path(tmp_path / "sprung").touch, ())

    np.savez(tmp_path / "w.npz", w=np.array([Trap()], dtype=object))
    assert "never unpickled" in refusal(tmp_path / "w.npz")
    np.save(tmp_path / "x.npy", np.array([Trap()], dtype=object))
    with pytest.raises(NetworkFileError, match="never unpickled"):
        read_inputs(tmp_path / "x.npy")
    assert not (tmp_path / "sprung").exists()


def write_zip(path: Path, members: dict[str, bytes], compression=zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def npy_header(text: str, version: bytes = b"\x01\x00") -> bytes:
    return b"\x93NUMPY" + version + struct.pack("<H", len(text)) + text.encode()


NPZ_MEMBERS = {
    "a member that is no array": {"readme.txt": b"hello"},
    "no npy at all": {"w.npy": b"hello"},
    "truncated array": {"w.npy": npy(np.ones((4, 4)))[:-8]},
    "longer than its shape": {"w.npy": npy(np.ones((4, 4))) + b"more"},
    "enormous shape": {
        "w.npy": npy_header("{'descr': '<f8', 'fortran_order': False, 'shape': (10**9, 10**9)}\n")
    },
    "negative shape": {
        "w.npy": npy_header("{'descr': '<f8', 'fortran_order': False, 'shape': (-4, 4)}\n")
    },
    "header that is unfinished": {"w.npy": npy_header("{'descr': ('<f8', (\n")},
    "header of several types": {
        "w.npy": npy_header("{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (2,)}\n")
    },
    "unknown type": {
        "w.npy": npy_header("{'descr': '<q99', 'fortran_order': False, 'shape': (2, 2)}\n")
    },
    "many axes": {
        "w.npy": npy_header(f"{{'descr': '<f8', 'fortran_order': False, 'shape': {(1,) * 99}}}\n")
        + bytes(8)
    },
    "header that is code": {"w.npy": npy_header("__import__('os').getcwd()\n")},
    "deep header": {"w.npy": npy_header("(" * 5000 + "\n")},
    "future version": {"w.npy": npy_header("{}", b"\x09\x00")},
    "integers": {"w.npy": npy(np.ones((2, 2), dtype=np.int32))},
    "complex": {"w.npy": npy(np.ones((2, 2), dtype=np.complex64))},
    "text": {"w.npy": npy(np.array([["a", "b"]]))},
    "no elements": {"w.npy": npy(np.ones((2, 0)))},
    "not finite": {"w.npy": npy(np.full((2, 2), np.nan))},
}


@pytest.mark.parametrize("case", NPZ_MEMBERS)
def test_hostile_archives_are_one_line_errors(tmp_path, case):
    refusal(write_zip(tmp_path / "w.npz", NPZ_MEMBERS[case]))


def test_zip_bombs_are_refused_before_they_expand(tmp_path):
    zeros = npy(np.zeros((3000, 3000)))
    path = write_zip(tmp_path / "w.npz", {"w.npy": zeros}, zipfile.ZIP_DEFLATED)
    assert "refused" in refusal(path)


def test_names_must_be_unique(tmp_path):
    with zipfile.ZipFile(tmp_path / "w.npz", "w") as archive:
        archive.writestr("w.npy", npy(np.ones((2, 2))))
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("w.npy", npy(np.zeros((2, 2))))
    assert "twice" in refusal(tmp_path / "w.npz")


def test_damaged_archives(tmp_path):
    path = write_zip(tmp_path / "w.npz", {"w.npy": npy(np.ones((20, 20)))})
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    refusal(path)
    # One byte of the data: the checksum no longer agrees.
    middle = len(whole) // 2
    path.write_bytes(whole[:middle] + bytes([whole[middle] ^ 255]) + whole[middle + 1 :])
    refusal(path)
    path.write_bytes(b"")
    refusal(path)


# ---------------------------------------------------------------- files and inputs


def test_names_that_are_no_usable_files(tmp_path):
    with pytest.raises(NetworkFileError, match="no such file"):
        open_tensors(tmp_path / "missing.safetensors")
    (tmp_path / "folder.npz").mkdir()
    with pytest.raises(NetworkFileError, match="not a regular file"):
        open_tensors(tmp_path / "folder.npz")
    with pytest.raises(NetworkFileError, match="unsupported extension"):
        open_tensors(tmp_path / "w.pt")
    with pytest.raises(NetworkFileError):
        open_tensors(Path("nul\0.npz"))


def test_inputs(tmp_path):
    images = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    np.save(tmp_path / "x.npy", images)
    assert np.array_equal(read_inputs(tmp_path / "x.npy"), images.reshape(2, 12))
    np.save(tmp_path / "one.npy", np.ones(5))
    assert read_inputs(tmp_path / "one.npy").shape == (1, 5)
    np.savez(tmp_path / "x.npz", images=images)
    assert read_inputs(tmp_path / "x.npz").shape == (2, 12)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x93NUMPY",
        npy(np.ones((3, 3)))[:-1],
        npy(np.array(1.0)),
        npy(np.ones((0, 3))),
        npy(np.full((2, 2), np.inf)),
        npy(np.array(["text"])),
        npy_header("{'descr': '<f8', 'fortran_order': False, 'shape': (10**12,)}\n"),
    ],
)
def test_bad_inputs_are_one_line_errors(tmp_path, content):
    (tmp_path / "x.npy").write_bytes(content)
    with pytest.raises(NetworkFileError) as caught:
        read_inputs(tmp_path / "x.npy")
    assert "\n" not in str(caught.value)


def test_inputs_of_other_kinds(tmp_path):
    np.savez(tmp_path / "x.npz", a=np.ones(2), b=np.ones(2))
    with pytest.raises(NetworkFileError, match="2 arrays"):
        read_inputs(tmp_path / "x.npz")
    with pytest.raises(NetworkFileError, match=r"\.npy"):
        read_inputs(tmp_path / "x.csv")
