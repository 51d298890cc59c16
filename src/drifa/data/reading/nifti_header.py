"""What a NIfTI header says about space and grey values: honoured as the format's reference does, or refused by name.

References:
    nifti1.h of the NIfTI working group: methods 1 to 3 of orientation, qfac, xyzt_units, scl_slope and scl_inter.
"""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
from nibabel.quaternions import quat2mat

from drifa.errors import DrifaError

# Millimetres in a unit of xyzt_units; files that name none mean millimetres.
_UNITS = {0: 1.0, 1: 1e3, 2: 1.0, 3: 1e-3}
# Rounded to three decimals, a quaternion is at most this much too long.
_TOO_LONG = 0.01
_NOTHING = 1e-7
# No voxel is this small in any unit.
_NO_VOXEL = 1e-9
# Sides of a box that is this flat point the same way to within the precision of the file.
_FLAT = 1e-6


def affine_of(header: nibabel.nifti1.Nifti1Header, path: Path, what: str = "volume") -> np.ndarray:
    """The way from voxel to millimetres: float64 [4, 4].

    The sform is taken where there is one, else the qform. An sform of zeros, or as good as that, counts as none.

    Raises:
        DrifaError: It cannot be inverted, so that the file has no orientation; or its voxel sizes, its quaternion or its unit
            of length are none.
    """
    sform = np.asarray(header.get_sform(), dtype=np.float64)
    qform_code = int(header["qform_code"])
    empty = np.abs(sform[:3, :3]).max() <= _NO_VOXEL
    if header["sform_code"] > 0 and (not empty or not qform_code > 0):
        affine = sform
    elif qform_code > 0:
        affine = _qform(header, path, what)
    else:
        affine = np.asarray(header.get_base_affine(), dtype=np.float64)
    affine = invertible(affine, path, what)
    code = int(header["xyzt_units"]) & 7
    if code not in _UNITS:
        raise DrifaError(
            f"{what} {path} has the unknown unit of length {code}; set xyzt_units to 2 (mm), as with set_xyzt_units('mm')"
        )
    affine[:3] *= _UNITS[code]
    return affine


def invertible(affine: np.ndarray, path: Path, what: str = "volume") -> np.ndarray:
    """The way from voxel to millimetres, if it leads back as well.

    Raises:
        DrifaError: It cannot be inverted, so that the file has no orientation.
    """
    with np.errstate(all="ignore"):
        flatness = abs(np.linalg.det(affine[:3, :3])) / np.prod(np.linalg.norm(affine[:3, :3], axis=0))
    if not np.isfinite(affine).all() or not flatness > _FLAT:
        raise DrifaError(
            f"{what} {path} has an orientation that cannot be inverted: {affine[:3].round(3).tolist()}; "
            f"write a valid orientation (sform or qform in NIfTI) into its header, or convert it from DICOM again"
        )
    return affine


def scaling_of(header: nibabel.nifti1.Nifti1Header, path: Path, what: str = "volume") -> tuple[float, float]:
    """Slope and intercept of the grey values; 1 and 0 where the header has none.

    Raises:
        DrifaError: One of them is infinite, or only the intercept is no number.
    """
    slope, intercept = float(header["scl_slope"]), float(header["scl_inter"])
    if slope == 0 or np.isnan(slope):
        return 1.0, 0.0
    if not np.isfinite([slope, intercept]).all():
        raise DrifaError(
            f"{what} {path} scales its values by the slope {slope:g} and the intercept {intercept:g}; correct scl_slope and "
            f"scl_inter in its header"
        )
    return slope, intercept


def display_range(header: nibabel.nifti1.Nifti1Header, path: Path) -> tuple[float, float] | None:
    """The values shown black and white (`cal_min`, `cal_max`); None where both are 0, which means that there are none.

    Raises:
        DrifaError: They are not finite, or the first is not below the second.
    """
    low, high = float(header["cal_min"]), float(header["cal_max"])
    if low == high == 0:
        return None
    if not (np.isfinite([low, high]).all() and low < high):
        raise DrifaError(f"image {path} has the display range {low:g} to {high:g}; correct cal_min and cal_max in its header")
    return low, high


def _qform(header: nibabel.nifti1.Nifti1Header, path: Path, what: str) -> np.ndarray:
    side, qfac = np.asarray(header["pixdim"][1:4], dtype=np.float64), float(header["pixdim"][0])
    if not (np.isfinite(side).all() and (side > 0).all()):
        raise DrifaError(
            f"{what} {path} has an orientation (qform) of voxels of {side.tolist()} mm; "
            f"correct pixdim in its header, or write an sform"
        )
    if qfac != 0 and not abs(abs(qfac) - 1) < _TOO_LONG:
        raise DrifaError(
            f"{what} {path} has an orientation (qform) with the handedness {qfac:g}; "
            f"set pixdim[0] to 1 or -1, or write an sform"
        )
    vector = np.array([header["quatern_b"], header["quatern_c"], header["quatern_d"]], dtype=np.float64)
    length = float(vector @ vector)
    if not length <= 1 + _TOO_LONG:
        raise DrifaError(
            f"{what} {path} has an orientation (qform) whose quaternion {vector.round(6).tolist()} is longer than 1; "
            f"correct it, or write an sform"
        )
    real = 1 - length
    # Below the precision of the file's numbers the real part is 0, as in the reference; else its root would turn the volume.
    quaternion = np.array([np.sqrt(real), *vector]) if real > _NOTHING else np.array([0, *(vector / np.sqrt(length))])
    affine = np.eye(4)
    affine[:3, :3] = quat2mat(quaternion) * side * [1, 1, -1 if qfac < 0 else 1]
    affine[:3, 3] = [header["qoffset_x"], header["qoffset_y"], header["qoffset_z"]]
    return affine
