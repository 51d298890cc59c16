"""The phantom: a built-in synthetic study, so that everything can be tried without a download.

Every subject is a skin lesion seen twice, as a `photo` (RGB) and as an `ultrasound` image (grey). What can be known from where
is fixed by construction:

=========== ========================================= ==================== ==========================================
task        classes                                   readable from        sign in the image
=========== ========================================= ==================== ==========================================
``surface`` smooth, ragged, network                   photo only           border and texture of the lesion
``depth``   thin, thick, deep                         ultrasound only      shape of the dark lesion
``spread``  none, surface_only, deep_only, both       both together only   pale halo (photo), shadow below (ultrasound)
=========== ========================================= ==================== ==========================================

``spread`` is the pair of two independent fair coins, one marker in each modality: whoever sees one modality can be right in
half of the cases at best, whoever sees both in all. The markers are independent of the other two labels. A fusion that works
must therefore beat 0.5 on ``spread``, and no unimodal shortcut can. On request there is a number too, ``radius``, readable from
the photo.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from drifa.data.adapters.phantom_images import photo_images, ultrasound_images
from drifa.data.study.schema import Modality, Task
from drifa.data.study.study import Study
from drifa.data.targets import ClassTarget, NumberTarget
from drifa.errors import DrifaError
from drifa.files import named

SURFACE = ("smooth", "ragged", "network")
DEPTH = ("thin", "thick", "deep")
SPREAD = ("none", "surface_only", "deep_only", "both")
SMALLEST_STUDY, SMALLEST_IMAGE = 12, 32
# Subjects painted at once: small enough for the processor's cache; part of what the seed means, so it is not an option.
_CHUNK = 32


def make_phantom(
    out: str | Path,
    subjects: int = 600,
    image_size: int = 64,
    seed: int = 0,
    paired: bool = True,
    numbers: bool = False,
    masks: bool = False,
) -> Study:
    """Draws the phantom and writes it as a study folder.

    Args:
        out: Folder to write: `study.yaml`, `study.csv` and `images/<modality>/<subject>.png`.
        subjects: Number of cases, at least 12. About 3 in 10 patients (groups) have two of them.
        image_size: Side of the square images in pixels, at least 32.
        seed: The same seed draws the same study, byte for byte.
        paired: False gives every subject one modality only, the patients of the two being different people, and leaves
            ``spread`` out: the small model of an unpaired study.
        numbers: Adds the task ``radius`` (of the kind number): how large the lesion of the photo was drawn. The images stay
            the same.
        masks: Writes where the signs are, too, as `masks/<modality>/<subject>.png` of the images' size: 1 on the lesion, 2 on
            the marker, else 0. They are no part of the study, whose images stay the same.

    Returns:
        The written study; its split column is empty.

    Raises:
        DrifaError: Too few subjects or too small images.

    Examples:
        >>> study = make_phantom("phantom", subjects=12, image_size=32)
        >>> len(study.table), list(study.modalities), study.tasks["depth"].classes
        (24, ['photo', 'ultrasound'], ('thin', 'thick', 'deep'))
        >>> sides = make_phantom("sides", subjects=12, image_size=32, paired=False)
        >>> len(sides.table), list(sides.tasks)
        (12, ['surface', 'depth'])
    """
    if subjects < SMALLEST_STUDY or image_size < SMALLEST_IMAGE:
        raise DrifaError(
            f"a phantom of {subjects} subjects at {image_size} px is too small; "
            f"use at least {SMALLEST_STUDY} subjects and {SMALLEST_IMAGE} px"
        )
    out = Path(out)
    (out / "study.yaml").unlink(missing_ok=True)  # while its images are drawn, a study is none
    random = np.random.default_rng([seed, 0])
    patient = _patients(subjects, random)
    surface, depth, spread = (_balanced(subjects, len(names), random) for names in (SURFACE, DEPTH, SPREAD))
    # Unpaired: whole patients go to one side.
    has_photo = np.ones(subjects, dtype=bool) if paired else patient % 2 == 0
    has_ultrasound = np.ones(subjects, dtype=bool) if paired else ~has_photo
    if not paired:
        for label, here, count in ((surface, has_photo, len(SURFACE)), (depth, has_ultrasound, len(DEPTH))):
            label[here] = _balanced(int(here.sum()), count, random)
    ids = np.array([f"S{number:05d}" for number in range(subjects)])
    radius = _paint(out, "photo", ids, has_photo, surface, spread % 2 == 1, patient, image_size, seed, masks)
    _paint(out, "ultrasound", ids, has_ultrasound, depth, spread >= 2, patient, image_size, seed, masks)

    def rows(modality: str, here: np.ndarray) -> pd.DataFrame:
        table = pd.DataFrame({"subject": ids[here], "modality": modality})
        table["path"] = f"images/{modality}/" + table["subject"] + ".png"
        table["group"] = [f"patient{number:05d}" for number in patient[here]]
        table["split"] = ""
        table["surface"] = np.array(SURFACE, dtype=object)[surface[here]] if paired or modality == "photo" else ""
        table["depth"] = np.array(DEPTH, dtype=object)[depth[here]] if paired or modality == "ultrasound" else ""
        if paired:
            table["spread"] = np.array(SPREAD, dtype=object)[spread[here]]
        if numbers:
            table["radius"] = [f"{100 * value:.2f}" for value in radius[here]] if paired or modality == "photo" else ""
        return table

    tasks = [Task("surface", ClassTarget(SURFACE), ("photo",)), Task("depth", ClassTarget(DEPTH), ("ultrasound",))]
    tasks += [Task("spread", ClassTarget(SPREAD), ("photo", "ultrasound"))] if paired else []
    tasks += [Task("radius", NumberTarget("% of the side"), ("photo",))] if numbers else []
    study = Study(
        name="phantom" if paired else "phantom_unpaired",
        root=out,
        table=pd.concat([rows("photo", has_photo), rows("ultrasound", has_ultrasound)], ignore_index=True),
        modalities={"photo": Modality("photo", 3), "ultrasound": Modality("ultrasound", 1)},
        tasks={task.name: task for task in tasks},
        source=f"drifa phantom, {subjects} subjects at {image_size} px, seed {seed}",
        licence="CC0: synthetic, no patient was involved",
        notes="Synthetic images for demonstrations and tests. They model no disease: draw no medical conclusion.",
    )
    study.save(out)
    return study


def _patients(subjects: int, random: np.random.Generator) -> np.ndarray:
    """Patient number of each subject; with probability 0.3 a patient has two subjects, that is 1.3 per patient."""
    twice = random.random(subjects) < 0.3
    return np.repeat(np.arange(subjects), 1 + twice)[:subjects]


def _balanced(count: int, classes: int, random: np.random.Generator) -> np.ndarray:
    """Class indices, each equally often (to within one), in random order."""
    return random.permutation(np.arange(count) % classes)


def _paint(
    out: Path,
    modality: str,
    ids: np.ndarray,
    here: np.ndarray,
    label: np.ndarray,
    marker: np.ndarray,
    patient: np.ndarray,
    size: int,
    seed: int,
    masks: bool,
) -> np.ndarray:
    """Writes a modality's images, and masks if wanted; returns the size of every lesion [S], NaN where nothing was painted."""
    folder, where = out / "images" / modality, out / "masks" / modality
    for one in (folder, where) if masks else (folder,):
        one.mkdir(parents=True, exist_ok=True)
    stream, draw = {"photo": (1, photo_images), "ultrasound": (2, ultrasound_images)}[modality]
    # Skin colour, machine gain and the like belong to the patient: two subjects of one patient look related.
    habitus = np.random.default_rng([seed, 3]).random((int(patient.max()) + 1, 4), dtype=np.float32)[patient]
    chosen, sizes = np.flatnonzero(here), np.full(len(here), np.nan)
    for start in range(0, len(chosen), _CHUNK):
        part = chosen[start : start + _CHUNK]
        random = np.random.default_rng([seed, stream, start])
        images, sizes[part], truth = draw(label[part], marker[part], habitus[part], size, random)
        for name, pixels, mask in zip(ids[part], images, truth, strict=True):
            with named(folder / f"{name}.png"):
                Image.fromarray(pixels).save(folder / f"{name}.png")
            if masks:
                Image.fromarray(mask).save(where / f"{name}.png")
    return sizes
