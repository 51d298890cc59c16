"""The volume cache: every volume of a study normalised, cropped and cut into axial slices once, then read slice by slice."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from drifa.data.reading import READING
from drifa.data.reading.slicing import Geometry, centre, prepare_volumes
from drifa.data.reading.volumes import check_grids, read_volume, volume_files
from drifa.data.study.study import Study
from drifa.data.targets import RegionTarget
from drifa.errors import DrifaError, suggest
from drifa.files import atomic_path, write_json
from drifa.progress import Progress

#: Part of every key, beside that of the readers: raise it when the preparation or the layout of the files changes.
CACHE_VERSION = 1
#: What `subject.json` is called; written last, so that a folder with it is complete.
SUBJECT_FILE = "subject.json"
# What numpy writes before an array of three dimensions.
_HEADER_BYTES = 128


@dataclass(frozen=True, eq=False)
class SliceIndex:
    """One entry per slice of the study, subject by subject, from the feet upwards.

    Args:
        subject: Index into ``study.subjects()``.
        z: Plane of the volume's RAS grid.
        brain: Share of the slice's box that is foreground in any modality.
        marked: For each segmentation task: 1 where the mask holds anything, 0 where it is empty, -1 where there is no mask.

    Shape:
        subject, z int64 [N]; brain float32 [N]; marked int8 [N] each.
    """

    subject: np.ndarray
    z: np.ndarray
    brain: np.ndarray
    marked: dict[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.subject)


class VolumeCache:
    """Slices of a study whose images are volumes.

    Each subject has a folder named by a hash of what is in it: path, byte count and times of change of its volumes and masks,
    and the settings. In it lie one `.npy` per modality (float16 [n, H, W]) and per task (uint8, mask values). A killed build
    goes on where it stopped; the cache folder may be deleted at any time. Objects may be sent to other processes.

    Args:
        study: The study.
        folders: Each subject's folder, in the order of ``study.subjects()``.
    """

    def __init__(self, study: Study, folders: list[Path]) -> None:
        self._folders = folders
        self._targets = _region_targets(study)
        self._masks = {name: study.mask_paths(name) for name in self._targets}
        self._modalities = tuple(study.modalities)
        self._present = study.subjects().present
        records = [json.loads((folder / SUBJECT_FILE).read_text()) for folder in folders]
        #: Where each subject's slices come from, in the order of ``study.subjects()``.
        self.geometry = [_geometry(record["geometry"]) for record in records]
        counts = np.array([geometry.slices[0] for geometry in self.geometry])
        self._first = np.concatenate([[0], np.cumsum(counts)])
        self.index = SliceIndex(
            subject=np.repeat(np.arange(len(records)), counts),
            z=np.concatenate([np.arange(one.start[2], one.stop[2]) for one in self.geometry]),
            brain=np.concatenate([np.array(record["brain"], dtype=np.float32) for record in records]),
            marked={
                name: np.concatenate([np.array(record["marked"][name], dtype=np.int8) for record in records])
                for name in self._targets
            },
        )
        #: Side s of the slices that are read, in pixels.
        self.side = max(max(one.slices[1:]) for one in self.geometry)

    @classmethod
    def build(
        cls,
        study: Study,
        folder: str | Path,
        size: int = 128,
        clip: float = 5.0,
        workers: int | None = None,
        progress: Progress | None = None,
    ) -> VolumeCache:
        """Opens the cache of a study, preparing the subjects that are not there yet; see `volume_slices.prepare_volumes`.

        Args:
            study: Its images are volumes; every modality has one channel.
            folder: Where cache files lie; several studies may share it.
            size: Side of the slices in pixels; 0 (NATIVE) keeps them as they are, padded to the study's largest when read.
            clip: Largest absolute grey value in standard deviations; 0 for none.
            workers: Subjects prepared at once; default: one per core, eight at most (each holds all volumes of its subject).
            progress: Called as ``progress(done, total, what)`` while subjects are prepared.

        Raises:
            DrifaError: A volume or mask is unreadable, grids of one subject differ, a mask holds values outside its task, or a
                modality is not grey. Nothing half-written is ever read.
        """
        if size < 0 or clip < 0:
            raise DrifaError(f"volumes cannot be cut with size {size} and clip {clip}; use numbers above 0, or 0 for none")
        for modality in study.modalities.values():
            if modality.channels != 1:
                raise DrifaError(f"modality {modality.name!r} holds volumes, which are grey; say channels: 1 in study.yaml")
        subjects = study.subjects()
        files = [
            {name: study.image_path(row) for name, row in zip(subjects.modalities, rows, strict=True) if row >= 0}
            for rows in subjects.image
        ]
        targets = _region_targets(study)
        masks: list[dict[str, Path]] = [{} for _ in files]
        for name in targets:
            for own, path in zip(masks, study.mask_paths(name), strict=True):
                own.update({name: path} if path else {})
        keys = [_key(one, own, targets, size, clip) for one, own in zip(files, masks, strict=True)]
        folders = [Path(folder) / f"volume-{key[:24]}" for key in keys]
        missing = [number for number, target in enumerate(folders) if not (target / SUBJECT_FILE).is_file()]

        def prepare(number: int) -> int:
            _prepare(folders[number], files[number], masks[number], targets, size, clip)
            if _key(files[number], masks[number], targets, size, clip) != keys[number]:
                (folders[number] / SUBJECT_FILE).unlink()
                raise DrifaError(f"volumes of subject {subjects.ids[number]} changed while they were read; try again")
            return number

        with ThreadPoolExecutor(workers or min(8, os.cpu_count() or 1)) as pool:
            futures = [pool.submit(prepare, number) for number in missing]
            try:
                for done, future in enumerate(as_completed(futures), start=1):
                    future.result()
                    if progress is not None:
                        progress(done, len(missing), "preparing volumes")
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        return cls(study, folders)

    def read(self, modality: str, rows: np.ndarray) -> torch.Tensor:
        """Slices of one modality; zeros for a subject without it, and for row -1.

        Args:
            modality: Its name.
            rows: Slices, as positions in ``index``.

        Shape:
            rows int64 [n] -> float32 [n, 1, s, s].

        Raises:
            DrifaError: An unknown modality.
        """
        if modality not in self._modalities:
            raise DrifaError(f"the volume cache has no modality {modality!r}{suggest(modality, self._modalities)}")
        has = self._present[:, self._modalities.index(modality)]
        return self._stack(f"{modality}.npy", rows, has, torch.float16)[:, None].float()

    def regions(self, task: str, rows: np.ndarray) -> torch.Tensor:
        """True regions of slices, in the order of the task's classes; False for a subject without a mask.

        Shape:
            rows int64 [n] -> bool [n, R, s, s].

        Raises:
            DrifaError: An unknown segmentation task.
        """
        own = self._target(task)
        has = np.array([path is not None for path in self._masks[task]])
        mask = self._stack(f"{task}.mask.npy", rows, has, torch.uint8)
        return torch.from_numpy(own.stack(mask.numpy())).transpose(0, 1)

    def slices_of(self, subject: int) -> np.ndarray:
        """All slices of a subject as positions in ``index``, from the feet upwards: int64 [n]."""
        return np.arange(self._first[subject], self._first[subject + 1])

    def restore(self, subject: int, probabilities: np.ndarray | torch.Tensor) -> np.ndarray:
        """A subject's region probabilities on its volumes' full RAS grid, exactly zero outside the crop.

        Args:
            subject: Index into ``study.subjects()``.
            probabilities: For all of ``slices_of(subject)``, in this order.

        Shape:
            [n, R, s, s] -> float32 [X, Y, Z, R].
        """
        expected = (self.geometry[subject].slices[0], self.side, self.side)
        if (probabilities.shape[0], *probabilities.shape[2:]) != expected:
            raise DrifaError(
                f"probabilities of shape {tuple(probabilities.shape)} do not cover the {expected} slices of a subject"
            )
        return self.geometry[subject].restore(probabilities)

    def truth(self, subject: int, task: str) -> np.ndarray | None:
        """A subject's true regions from the mask file itself, on the full RAS grid; None where it has no mask.

        Shape:
            bool [X, Y, Z, R].
        """
        own, path = self._target(task), self._masks[task][subject]
        if path is None:
            return None
        return np.moveaxis(own.stack(own.checked_mask(read_volume(path), task)), 0, 3)

    def _target(self, name: str) -> RegionTarget:
        if name not in self._targets:
            raise DrifaError(f"the volume cache has no segmentation task {name!r}{suggest(name, self._targets)}")
        return self._targets[name]

    def _stack(self, name: str, rows: np.ndarray, has: np.ndarray, dtype: torch.dtype) -> torch.Tensor:
        rows = np.asarray(rows, dtype=np.int64)
        result = torch.zeros((len(rows), self.side, self.side), dtype=dtype)
        owner = np.where(rows < 0, -1, self.index.subject[rows])
        for subject in np.unique(owner[owner >= 0]):
            if not has[subject]:
                continue
            wanted = np.flatnonzero(owner == subject)
            planes = rows[wanted] - self._first[subject]
            slices = _read_planes(self._folders[subject] / name, planes, self.geometry[subject].slices, dtype)
            result[wanted] = centre(slices, self.side)
        return result


def _region_targets(study: Study) -> dict[str, RegionTarget]:
    return {name: task.target for name, task in study.tasks.items() if isinstance(task.target, RegionTarget)}


def _geometry(record: dict[str, list[int] | int]) -> Geometry:
    shape, start, stop = (tuple(record[key]) for key in ("shape", "start", "stop"))  # type: ignore[arg-type]
    return Geometry(shape, start, stop, record["size"])  # type: ignore[arg-type]


def _key(
    files: Mapping[str, Path], masks: Mapping[str, Path], targets: Mapping[str, RegionTarget], size: int, clip: float
) -> str:
    digest = hashlib.sha256(f"{CACHE_VERSION}\0{READING}\0{size}\0{clip}".encode())
    # A mask is checked against its task's values when it is read: other values, another key.
    known = {name: f"{name}={targets[name].mask_values}" for name in masks}
    for name, path in [*sorted(files.items()), *((known[name], path) for name, path in sorted(masks.items()))]:
        try:
            stats = [(file, os.stat(file)) for file in volume_files(path)]
        except OSError as error:
            raise DrifaError(f"volume {path} cannot be opened ({error.strerror}); correct 'root' in study.yaml") from None
        for file, status in stats:
            digest.update(f"\0{name}\0{file}\0{status.st_size}\0{status.st_mtime_ns}\0{status.st_ctime_ns}".encode())
    return digest.hexdigest()


def _prepare(
    target: Path,
    files: Mapping[str, Path],
    masks: Mapping[str, Path],
    targets: Mapping[str, RegionTarget],
    size: int,
    clip: float,
) -> None:
    volumes = {name: read_volume(path) for name, path in files.items()}
    prepared = prepare_volumes(volumes, size, clip)
    geometry = prepared.geometry
    marked = {name: np.full(geometry.slices[0], -1) for name in targets}
    for name, slices in prepared.images.items():
        _save(target / f"{name}.npy", slices.astype(np.float16))
    reference = next(iter(volumes))
    for name, path in masks.items():
        mask = read_volume(path)
        check_grids({reference: volumes[reference], f"the mask of {name}": mask})
        slices = geometry.cut(targets[name].checked_mask(mask, name), labels=True)
        marked[name] = (slices > 0).any(axis=(1, 2)).astype(int)
        _save(target / f"{name}.mask.npy", slices.astype(np.uint8))
    record = {"geometry": asdict(geometry), "brain": [round(float(share), 6) for share in prepared.brain]}
    write_json(target / SUBJECT_FILE, record | {"marked": {name: column.tolist() for name, column in marked.items()}})


def _read_planes(path: Path, planes: np.ndarray, shape: tuple[int, int, int], dtype: torch.dtype) -> torch.Tensor:
    # Opened and closed at once: a study has more files than a process may hold open, mapped or not.
    count, height, width = shape
    result = torch.empty((len(planes), height, width), dtype=dtype)
    bytes_each = height * width * dtype.itemsize
    with open(path, "rb") as file:
        if os.fstat(file.fileno()).st_size != _HEADER_BYTES + count * bytes_each:
            raise DrifaError(f"{path} is cut short; delete the cache folder {path.parent} and build it again")
        for number, plane in enumerate(planes):
            file.seek(_HEADER_BYTES + int(plane) * bytes_each)
            file.readinto(result[number].numpy().data)
    return result


def _save(path: Path, array: np.ndarray) -> None:
    with atomic_path(path) as temporary, open(temporary, "wb") as file:
        np.save(file, array)
