"""A volume as a scanner stores it: a folder of DICOM slices."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage


def write_series(folder: Path, array: np.ndarray, affine: np.ndarray) -> Path:
    """Writes whole numbers of -32768 to 32767, one file per slice along the last axis.

    Args:
        folder: Is made.
        array: Voxels.
        affine: From voxel to millimetres in RAS.

    Shape:
        array [X, Y, Z]; affine [4, 4].
    """
    folder.mkdir(parents=True)
    place = np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine
    sides = np.linalg.norm(place[:3, :2], axis=0)
    for number in range(array.shape[2]):
        dataset = Dataset()
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        dataset.SOPClassUID, dataset.SOPInstanceUID = MRImageStorage, f"1.2.3.{number + 1}"
        dataset.SeriesInstanceUID, dataset.Modality = "1.2.3", "MR"
        dataset.Columns, dataset.Rows = array.shape[:2]
        dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
        dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 16, 15, 1
        dataset.PixelData = array[:, :, number].T.astype("<i2").tobytes()
        dataset.ImageOrientationPatient = (place[:3, :2] / sides).T.ravel().round(9).tolist()
        dataset.ImagePositionPatient = (place @ [0, 0, number, 1])[:3].round(6).tolist()
        dataset.PixelSpacing = sides[::-1].tolist()
        # The names run against the places.
        dataset.save_as(folder / f"{array.shape[2] - number:04d}.dcm", enforce_file_format=True)
    return folder
