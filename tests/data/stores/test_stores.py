"""Class folders and tar shards: what is found, refused, cut short; shuffling; writing and reading again."""

import io
import json
import resource
import tarfile

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from aoienet.cli import app
from aoienet.data.datasets import imagenet
from aoienet.data.stores import open_store, shard_writer, shards
from aoienet.data.stores.class_folders import open_folders


def picture(seed: int, kind: str = "JPEG") -> bytes:
    content = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (20, 24, 3), dtype=np.uint8)).save(content, kind)
    return content.getvalue()


@pytest.fixture
def root(tmp_path):
    """Three classes; train has 4, 5, 6 pictures, val 1 each; one PNG, one with dots in its name, other files beside them."""
    for part, counts in (("train", (4, 5, 6)), ("val", (1, 1, 1))):
        for label, count in enumerate(counts):
            folder = tmp_path / "set" / part / f"n{label:02d}"
            folder.mkdir(parents=True)
            for i in range(count):
                name = ("x.1.JPEG", "y.png")[i] if label == 0 and i < 2 else f"p{i}.JPEG"
                folder.joinpath(name).write_bytes(picture(10 * label + i, "PNG" if name == "y.png" else "JPEG"))
    (tmp_path / "set" / "train" / "n00" / "notes.txt").write_text("no picture")
    (tmp_path / "set" / "train" / "n00" / "._p2.JPEG").write_bytes(b"of another system")
    return tmp_path / "set"


def written(root, out, per_shard=4, **options):
    return shard_writer.write(open_folders(root / "train"), out, "train", per_shard, **options)


def tar_of(path, members: dict[str, bytes]) -> bytes:
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path.read_bytes()


# --- class folders ----------------------------------------------------------------------------------------------------


def test_classes_are_the_sorted_folders_and_other_files_are_passed_over(root):
    store = open_folders(root / "train")
    assert store.classes == ("n00", "n01", "n02") and len(store) == 15
    assert np.bincount(store.label_N).tolist() == [4, 5, 6]
    assert store.names[:2] == ["n00/p2.JPEG", "n00/p3.JPEG"]
    assert store.read(0) == picture(2) and store.bytes_N[0] == len(picture(2))


def test_a_class_without_pictures_is_an_error(root):
    (root / "train" / "n03").mkdir()
    with pytest.raises(
        ValueError, match="every class holds pictures .* without one in .*train: n03; next: fill or remove"
    ):
        open_folders(root / "train")


def test_wrong_folders_are_named_with_the_next_step(root, tmp_path):
    with pytest.raises(FileNotFoundError, match="folder that holds train/ .* -o data.train="):
        open_store(tmp_path, "train")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="neither class folders nor shards"):
        open_store(tmp_path, "empty")
    (tmp_path / "empty" / "ILSVRC2012_val_00000001.JPEG").write_bytes(picture(0))
    with pytest.raises(ValueError, match=r"no class folders.*move each into .*<wnid>"):
        open_store(tmp_path, "empty")


def test_the_parts_have_the_same_classes(root):
    data = imagenet.load(root)
    assert data.classes == ("n00", "n01", "n02") and "15 train, 3 validation, 3 classes" in data.split
    (root / "val" / "n02").rename(root / "val" / "n09")
    with pytest.raises(ValueError, match="same classes in the same order; 3 and 3, in one of them only: n02, n09"):
        imagenet.load(root)


def test_the_hash_sees_names_lengths_and_classes(root):
    first = imagenet.load(root).data_hash
    assert imagenet.load(root).data_hash == first
    path = root / "train" / "n01" / "p0.JPEG"
    path.write_bytes(path.read_bytes() + b"\0")
    assert imagenet.load(root).data_hash != first


# --- shards -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("index", [True, False])
def test_shards_give_back_what_the_folders_hold(root, tmp_path, index):
    done = written(root, tmp_path / "out", threads=3)
    assert (done.shards, done.pictures, done.broken) == (4, 15, {})
    if not index:
        for path in (tmp_path / "out").glob("*.index"):
            path.unlink()
    store, folders = open_store(tmp_path / "out", "train-{0000..0003}.tar"), open_folders(root / "train")
    assert store.classes == folders.classes and store.shards == (4, 4, 4, 3)
    known = {folders.read(i): folders.label_N[i] for i in range(len(folders))}
    assert {store.read(i): store.label_N[i] for i in range(len(store))} == known
    assert {"n00/x_1", "n00/y"} <= {name.split("/", 1)[1] for name in store.names}


def test_equal_folders_and_seeds_give_equal_bytes(root, tmp_path):
    for out, seed in (("a", 0), ("b", 0), ("c", 1)):
        written(root, tmp_path / out, seed=seed, threads=2)
    a, b, c = ((tmp_path / out / "train-0001.tar").read_bytes() for out in "abc")
    assert a == b != c


def test_tars_of_webdataset_are_read_without_index_and_class_names(tmp_path):
    members = {
        "./00/a.jpg": picture(1),
        "./00/a.cls": b"1\n",
        "b.cls": b"0",
        "b.json": b"{}",
        "b.png": picture(2, "PNG"),
    }
    (tmp_path / "part").mkdir()
    tar_of(tmp_path / "part" / "x.tar", members)
    store = open_store(tmp_path, "part")
    assert store.classes == ("0", "1") and list(store.names) == ["x.tar/00/a", "x.tar/b"]
    assert [store.read(i) for i in (0, 1)] == [picture(1), picture(2, "PNG")]


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"a.jpg": b"x"}, "a sample is NAME.jpg and NAME.cls; a has no .cls"),
        ({"a.cls": b"1"}, "a has no picture"),
        ({"a.jpg": b"x", "a.cls": b"dog"}, "a.cls holds 'dog'"),
        ({"a.jpg": b"x", "a.png": b"y", "a.cls": b"1"}, "the picture a is there twice"),
        ({"readme": b"x"}, "hold no picture"),
        ({"a.jpg": b"x", "a.cls": b"2"}, "without one in .*: 0, 1"),
    ],
)
def test_samples_that_are_not_whole_are_refused(tmp_path, members, message):
    tar_of(tmp_path / "x.tar", members)
    with pytest.raises(ValueError, match=message):
        open_store(tmp_path, "x.tar")


def test_a_tar_cut_anywhere_is_refused_and_used_up_to_there_where_wished(root, tmp_path):
    written(root, tmp_path, per_shard=15)
    path = tmp_path / "train-0000.tar"
    content = path.read_bytes()
    whole, wrong = shards.walk(path)
    assert wrong == "" and len(whole) == 15
    ends = [e.offset + e.size for e in whole]
    assert len(content) % 512 == 0
    for cut in (
        *range(700, len(content) - 20 * 512, 997),
        ends[4],
        ends[5] + 1,
        whole[6].offset,
        whole[6].offset - 100,
    ):
        path.write_bytes(content[:cut])
        path.with_suffix(".index").unlink(missing_ok=True)
        with pytest.raises(ValueError, match="cut short"):
            open_store(tmp_path, "train-{0000..0000}.tar")
        entries, wrong = shards.walk(path)
        kept = [e for e in whole if e.offset + e.size + 1 <= cut]
        assert entries in (kept, kept[:-1]) and path.name in wrong  # the .cls of the last may be beyond the cut


def test_a_cut_shard_is_recorded_and_an_old_index_is_found_out(root, tmp_path):
    written(root, tmp_path, per_shard=8)
    path = tmp_path / "train-0001.tar"
    path.write_bytes(path.read_bytes()[:-12000])
    with pytest.raises(ValueError, match=r"train-0001.index is not the index of train-0001.tar"):
        open_store(tmp_path, "train-{0000..0001}.tar")
    path.with_suffix(".index").unlink()
    store = open_store(tmp_path, "train-{0000..0001}.tar", broken_shards=True)
    assert list(store.broken) == ["train-0001.tar"] and 8 <= len(store) < 15


def test_what_is_no_tar_and_what_is_missing_is_named(tmp_path):
    (tmp_path / "x.tar").write_bytes(b"\x1f\x8b" + bytes(2000))
    with pytest.raises(ValueError, match="a tar without compression; .*x.tar is not"):
        open_store(tmp_path, "x.tar")
    with pytest.raises(FileNotFoundError, match="y-01.tar is missing"):
        open_store(tmp_path, "y-{01..03}.tar")
    for pattern in ("y-{3..1}.tar", "y-{a..b}.tar", "y-{0..1}-{0..1}.tar"):
        with pytest.raises(ValueError, match="pattern"):
            open_store(tmp_path, pattern)


def test_zeros_in_place_of_a_tar_and_data_behind_the_end_mark_are_no_whole_shard(root, tmp_path):
    written(root, tmp_path, per_shard=8)
    path = tmp_path / "train-0001.tar"
    content = path.read_bytes()
    at = shards.walk(path)[0][3].offset - 512
    for damaged in (bytes(len(content)), content[:at] + bytes(512) + content[at + 512 :], content + content):
        path.write_bytes(damaged)
        path.with_suffix(".index").unlink(missing_ok=True)
        with pytest.raises(ValueError, match=r"train-0001.tar is damaged: .*; next:"):
            open_store(tmp_path, "train-{0000..0001}.tar")


def test_a_class_name_may_hold_spaces(root, tmp_path):
    (root / "train" / "n01").rename(root / "train" / "n01 große Risse")
    written(root, tmp_path / "out")
    store = open_store(tmp_path, "out")
    assert store.classes == ("n00", "n01 große Risse", "n02")
    assert sorted(np.bincount(store.label_N)) == [4, 5, 6]


def test_existing_shards_are_not_overwritten(root, tmp_path):
    written(root, tmp_path)
    with pytest.raises(FileExistsError, match="train-0000.tar exists; next:"):
        written(root, tmp_path)


def test_a_full_disk_is_named_and_leaves_no_part_of_a_shard(root, tmp_path):
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8000, unlimited[1]))
    try:
        with pytest.raises(ValueError, match=r"cannot write .*out/train-0000.tar: File too large"):
            written(root, tmp_path / "out")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["classes.txt"]


# --- order ------------------------------------------------------------------------------------------------------------


def test_an_epoch_visits_every_picture_once_in_an_order_of_its_own(root):
    store = open_folders(root / "train")
    orders = [store.order(seed, epoch) for seed, epoch in ((0, 0), (0, 0), (0, 1), (1, 0))]
    assert all(sorted(order) == list(range(15)) for order in orders)
    assert np.array_equal(orders[0], orders[1])
    assert not np.array_equal(orders[0], orders[2]) and not np.array_equal(orders[0], orders[3])


def test_shards_are_read_a_few_at_a_time(root, tmp_path, monkeypatch):
    monkeypatch.setattr("aoienet.data.stores.TOGETHER", 2)
    written(root, tmp_path, per_shard=3)
    store = open_store(tmp_path, "train-{0000..0004}.tar")
    shard = store.order(0, 0) // 3
    groups = [set(shard[:6]), set(shard[6:12]), set(shard[12:])]
    assert [len(g) for g in groups] == [2, 2, 1] and set.union(*groups) == set(range(5))
    assert len({tuple(store.order(0, epoch) // 3) for epoch in range(4)}) == 4


# --- the verb ---------------------------------------------------------------------------------------------------------


def test_the_verb_names_broken_pictures_and_leaves_them_out(root, tmp_path):
    (root / "train" / "n01" / "p2.JPEG").write_bytes(picture(0)[:-200])  # of RGB, the header and most pixels are there
    (root / "train" / "n01" / "p3.JPEG").write_bytes(picture(0)[:200])
    (root / "train" / "n01" / "p4.JPEG").write_bytes(b"")
    words = ["shards", str(root / "train"), "--out", str(tmp_path / "out"), "--per-shard", "5", "--json"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 2
    document = json.loads(result.stdout)
    assert document["pictures"] == 12 and document["shards"] == 3 and document["classes"] == 3
    assert sorted(document["broken"]) == ["n01/p2.JPEG", "n01/p3.JPEG", "n01/p4.JPEG"]
    assert "left out: n01/p3.JPEG" in result.stderr
    assert (
        document["broken"]["n01/p4.JPEG"]
        == "ValueError: a picture is a JPEG or PNG; received 0 bytes that begin with b''"
    )
    assert len(open_store(tmp_path, "out")) == 12


def test_the_verb_refuses_a_folder_that_is_none(tmp_path):
    result = CliRunner().invoke(app, ["shards", str(tmp_path / "no"), "--out", str(tmp_path / "out")])
    assert result.exit_code == 1 and "is not a folder" in result.stderr
