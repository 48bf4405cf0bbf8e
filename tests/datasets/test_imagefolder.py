import hashlib

import h5py
import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms._presets import ImageClassification
from torchvision.transforms.v2.functional import pil_to_tensor

from convergent_learning.datasets.canonical import prepare, read_split, read_summary
from convergent_learning.images.image_files import ImageFiles
from convergent_learning.images.spectra import mean_spectrum
from convergent_learning.randomness import balanced_subset
from convergent_learning.stimuli.sets import write_identity_set
from convergent_learning.stimuli.stimulus_files import read_stimuli

SIZE = 48


def save(path, size=(60, 75), mode="RGB", seed=0, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(seed)
    pixels = generator.integers(0, 256, (size[1] // 5, size[0] // 5, 3), np.uint8)
    image = Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC)
    image.convert(mode).save(path, **options)


@pytest.fixture
def source(tmp_path):
    """Nine training images of three classes in every mode, and six test images."""
    source = tmp_path / "photos"
    save(source / "train/ant/a.jpg", quality=95)
    save(source / "train/ant/b.PNG", (90, 60), seed=1)
    save(source / "train/ant/more/c.jpeg", mode="CMYK", seed=2)
    save(source / "train/ant/d.png", mode="RGBA", seed=3)
    save(source / "train/bee/e.jpg", mode="L", seed=4)
    save(source / "train/bee/f.gif", mode="P", seed=5)
    save(source / "train/bee/g.bmp", mode="1", seed=6)
    save(source / "train/cow/h.webp", (50, 50), seed=7)
    save(source / "train/cow/i.png", (48, 200), seed=8)
    for row in range(6):
        save(source / "val" / ("cow", "ant", "bee")[row % 3] / f"{row}.jpg", seed=20 + row)
    (source / "train/ant/.DS_Store").write_text("hidden")
    (source / "val/README").write_text("in no class folder, and no image")
    return source


def entry(source, **other):
    return {
        "name": "photos",
        "layout": "imagefolder",
        "source": str(source),
        "train_images": 7,
        "image_size": SIZE,
        "classes": None,
        **other,
    }


def test_the_file_names_the_images_and_describes_them(source, tmp_path):
    out = tmp_path / "photos.h5"
    prepare(entry(source), out, threads=2)
    train, test = read_split(out, "train"), read_split(out, "test")
    assert [name.decode() for name in train.images.names] == [
        *("ant/a.jpg", "ant/b.PNG", "ant/d.png", "ant/more/c.jpeg"),
        *("bee/e.jpg", "bee/f.gif", "bee/g.bmp"),
        *("cow/h.webp", "cow/i.png"),
    ]
    assert train.labels.tolist() == [0, 0, 0, 0, 1, 1, 1, 2, 2]
    assert test.labels.tolist() == [0, 0, 1, 1, 2, 2]
    assert (train.classes, read_summary(out)["classes"]) == (3, ["ant", "bee", "cow"])
    pixels = train.images[:].reshape(-1, 3) / 255
    np.testing.assert_allclose(train.mean, pixels.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(train.std, pixels.std(axis=0), rtol=1e-12)
    with h5py.File(out) as file:
        np.testing.assert_allclose(file["test/spectrum"][:], mean_spectrum(test.images[:]))
    listed = hashlib.sha256()
    for name in test.images.names:
        size = (source / "val" / name.decode()).stat().st_size
        listed.update(name + f"\0{size}\n".encode())
    assert read_summary(out)["sha256_test"] == listed.hexdigest()
    again = tmp_path / "again.h5"
    prepare(entry(source), again, threads=1)
    assert read_split(again, "train").mean.tobytes() == train.mean.tobytes()


def test_images_are_those_of_torchvisions_evaluation_preset(source, tmp_path):
    out = tmp_path / "photos.h5"
    for size in (SIZE, 64, 224):
        prepare(entry(source, image_size=size), out)
        images = read_split(out, "train").images
        preset = ImageClassification(crop_size=size, resize_size=round(size * 256 / 224))
        for row, image in enumerate(images[:]):
            want = preset(Image.open(images.root / images.names[row].decode()).convert("RGB"))
            scale, offset = torch.tensor(preset.std), torch.tensor(preset.mean)
            want = want * scale[:, None, None] + offset[:, None, None]
            found = pil_to_tensor(Image.fromarray(image)) / 255
            torch.testing.assert_close(found, want, atol=1e-6, rtol=0)


def test_images_are_indexed_like_an_array(source, tmp_path):
    prepare(entry(source), tmp_path / "photos.h5")
    images = read_split(tmp_path / "photos.h5", "train").images
    whole = images[:]
    assert whole.shape == images.shape == (9, SIZE, SIZE, 3)
    assert whole.dtype == images.dtype == np.uint8
    for rows in (slice(2, 5), np.array([7, 0]), [1], slice(0, 0), 4, np.int64(-1)):
        np.testing.assert_array_equal(images[rows], whole[rows])
    np.testing.assert_array_equal(images.chosen(np.array([3, 1]))[:], whole[[3, 1]])


def test_subsets_of_unbalanced_classes(source, tmp_path):
    out = tmp_path / "photos.h5"
    prepare(entry(source), out)
    assert len(read_split(out, "train", 9).labels) == 9
    few = read_split(out, "train", 7, seed=3)
    assert np.bincount(few.labels).tolist() in ([3, 2, 2], [2, 3, 2])
    keep = balanced_subset(read_split(out, "train").labels, 7, 3)
    np.testing.assert_array_equal(few.images[:], read_split(out, "train").images[keep])
    with pytest.raises(ValueError, match=r"train_images: 10 asked for, .* has 9 train images"):
        read_split(out, "train", 10)


def test_chosen_classes_alone_are_kept(source, tmp_path):
    out = tmp_path / "photos.h5"
    (source / "train/cow/h.webp").write_bytes(b"broken, but not of a chosen class")
    prepare(entry(source, classes=["bee", "ant"]), out)
    assert read_summary(out)["classes"] == ["ant", "bee"]
    assert read_split(out, "train").labels.tolist() == [0, 0, 0, 0, 1, 1, 1]
    assert len(read_split(out, "test").labels) == 4
    with pytest.raises(ValueError, match=r"classes: .*train has no folder dog"):
        prepare(entry(source, classes=["ant", "dog"]), out)


def test_orientation_in_exif_data_is_ignored(tmp_path):
    exif = Image.Exif()
    exif[274] = 6  # rotated by 90°
    save(tmp_path / "plain.png", (60, 90))
    save(tmp_path / "turned.png", (60, 90), exif=exif)
    images = ImageFiles(tmp_path, np.array([b"plain.png", b"turned.png"]), SIZE)
    np.testing.assert_array_equal(*images[:])


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            lambda s: (s / "train/bee/e.jpg").write_bytes(b"\xff\xd8"),
            r"e\.jpg cannot be read as an",
        ),
        (lambda s: cut(s / "val/cow/0.jpg"), r"val/cow/0\.jpg cannot be read .*truncated"),
        (lambda s: (s / "train/bee/notes.txt").write_text("a"), r"bee/notes\.txt is no image by"),
        (lambda s: (s / "train/dog").mkdir(), r"train/dog has no images"),
        (lambda s: (s / "val/dog").mkdir(), r"val/dog is a class that .*train lacks"),
        (lambda s: save(s / "train/loose.png"), r"loose\.png is in no class folder"),
        (lambda s: (s / "val").rename(s / "validation"), r"source: no folder .*val; the layout"),
        (lambda s: deep(s / "train/ant/a.png"), r"a\.png cannot be read .*more than 8 bits"),
    ],
)
def test_what_is_wrong_is_named(source, tmp_path, spoil, message):
    spoil(source)
    with pytest.raises(ValueError, match=message):
        prepare(entry(source), tmp_path / "out" / "photos.h5")
    assert list((tmp_path / "out").iterdir()) == []


def cut(path):
    path.write_bytes(path.read_bytes()[:-300])


def deep(path):
    Image.fromarray(np.full((60, 60), 40_000, np.uint16)).save(path)


def test_too_few_images_are_noticed_before_any_is_read(source, tmp_path, monkeypatch):
    monkeypatch.setattr(ImageFiles, "read", None)
    with pytest.raises(ValueError, match="train_images: 10 asked for, but photos has 9"):
        prepare(entry(source, train_images=10), tmp_path / "photos.h5")


def test_a_stimulus_set_reads_the_chosen_images_alone(source, tmp_path, monkeypatch):
    out = tmp_path / "photos.h5"
    prepare(entry(source), out)
    want = read_split(out, "test").images[:]
    read, opened = ImageFiles.read, []
    monkeypatch.setattr(ImageFiles, "read", lambda self, row: opened.append(row) or read(self, row))
    write_identity_set(out, tmp_path / "id.h5", 4, seed=0)
    stimuli = read_stimuli(tmp_path / "id.h5")
    np.testing.assert_array_equal(stimuli.images, want[stimuli.index])
    assert sorted(opened) == stimuli.index.tolist()
