"""What things are called: names of modalities and tasks, and the one spelling of an id, a group, a class and a file."""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path

from drifa.errors import DrifaError

#: Attributes of torch.nn.ModuleDict, which keeps layers under these names; listed, so that a study loads without torch.
_OF_MODULES = frozenset(
    """
    T_destination add_module apply bfloat16 buffers call_super_init children clear compile cpu cuda double dump_patches eval
    extra_repr float forward get_buffer get_extra_state get_parameter get_submodule half ipu items keys load_state_dict modules
    mtia named_buffers named_children named_modules named_parameters parameters pop register_backward_hook register_buffer
    register_forward_hook register_forward_pre_hook register_full_backward_hook register_full_backward_pre_hook
    register_load_state_dict_post_hook register_load_state_dict_pre_hook register_module register_parameter
    register_state_dict_post_hook register_state_dict_pre_hook requires_grad_ set_extra_state set_submodule share_memory
    state_dict to to_empty train training type update values xpu zero_grad
    """.split()  # noqa: SIM905 - sixty quoted words read worse
)

# Signs that look like a dash, and what stands between the words of a text.
_DASHES = r"\u2010-\u2015\u2212\u2e3a\u2e3b\ufe58\ufe63\uff0d-"
_BETWEEN = re.compile(rf"[\s._\u2026{_DASHES}]+")
#: What people and programs write for a value that is not there, in small letters.
_MISSING = frozenset(
    """
    ? ?? ??? / * nan nat na n/a n.a. n.a #n/a #na <na> #ref! #value! #name? #null! #div/0! #num! null (null)
    nil \\n none (none) missing (missing) blank (blank) empty unknown unkown unk unspecified undefined undetermined tbd xxx
    anonymous anonymized anonymised anon k.a. inconnu desconocido unbekannt pending
    """.split()  # noqa: SIM905 - fifty quoted words read worse
) | {"not available", "not applicable", "not known", "not recorded", "no data", "no id", "not specified"}
_MISSING |= {"not provided", "not assigned", "unknown patient", "unknown subject", "unknown id", "not given", "not done"}
_MISSING |= {"none given", "not entered", "unassigned", "no patient", "keine angabe", "ohne angabe", "sin dato", "sin datos"}
_MISSING |= {"non renseign\u00e9", "sconosciuto", "n.d.", "n\\a", "anonymized^patient", "anonymous^patient"}
# The same without what stands between their letters; but `ka` is a class of lesions, and no `k.a.`.
_MISSING_BARE = frozenset(_BETWEEN.sub("", word) for word in _MISSING if "." not in word)
#: A whole number as programs write it that keep a column with gaps as floats.
_WHOLE = re.compile(r"(-?(?:0|[1-9][0-9]*))(?:\.0+|,00?)")
# The number behind an apostrophe of a spreadsheet, the text of a formula that keeps one from being changed, and digits of full
# width.
_QUOTED = re.compile(r"""^(?:'([0-9]+(?:\.[0-9]+)?)|="([^"]*)")$""")
_WIDE = {0xFF10 + digit: str(digit) for digit in range(10)}
# Marks that change nothing one sees, where Unicode does not call them marks of format: they keep letters apart when sorted, or
# choose between a text's sign and a picture. Other selectors choose a form of a letter, which may tell two names apart.
_UNSEEN = frozenset("\u034f\ufe0e\ufe0f")
_VARIANTS = re.compile("[\u180b-\u180d\u180f\ufe00-\ufe0f\U000e0100-\U000e01ef]")
_FRACTION = re.compile(r"-?[0-9]+[.,][0-9]*[1-9][0-9]*")
# By such numbers programs of statistics code a missing value.
_CODED = re.compile(r"-(?:1|9+)(?:[.,]0+)?")
# Letters of other scripts that no eye tells from Latin ones.
_TWINS = str.maketrans(
    "\u0410\u0412\u0415\u041a\u041c\u041d\u041e\u0420\u0421\u0422\u0423\u0425\u0406\u0408\u0405\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0456\u0458\u0455"
    "\u0391\u0392\u0395\u0396\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4\u03a5\u03a7\u03bf",
    "ABEKMHOPCTYXIJSaeopcyxijsABEZHIKMNOPTYXo",
)
#: Longest name that :func:`file_name` gives, bytes: folders take 255, and endings and those of temporary files come behind.
MOST_BYTES = 160
_ROUNDED = re.compile(r"[0-9][.,][0-9]{2,}[eE]\+[0-9]{2,}")


def check_name(kind: str, name: object) -> None:
    """Refuses a name that cannot be a file name, the key of a layer, and the NAME of ``--image NAME=PATH``.

    Args:
        kind: ``modality`` or ``task``, for the error.
        name: The name.

    Raises:
        DrifaError: Other signs than letters, digits, ``_`` and ``-``, a first sign that is neither letter nor digit, or a word
            that PyTorch keeps for itself.
    """
    if not isinstance(name, str) or not re.fullmatch(r"[^\W_][\w-]*", name):
        raise DrifaError(
            f"{name!r} cannot name a {kind}: begin with a letter or digit, and use letters, digits, '_' and '-' only"
        )
    if name in _OF_MODULES:
        raise DrifaError(f"{name!r} cannot name a {kind}: PyTorch keeps this word for itself; call it {name + '_1'!r}, say")


def plain(text: str) -> str:
    """A text without what nobody sees: composed letters, common spaces, none around it, and no signs of zero width."""
    if text.isascii() and text == text.strip() and text.isprintable():
        return text
    # Zs are the spaces of all widths; Cf are marks of direction, joiners, the byte order mark.
    kinds = ((sign, unicodedata.category(sign)) for sign in text if sign not in _UNSEEN)
    text = "".join(" " if kind == "Zs" else sign for sign, kind in kinds if kind != "Cf").strip()
    return unicodedata.normalize("NFC", text)


def ids_of(texts: Iterable[str]) -> list[str]:
    """The ids, groups or classes that a column of texts names, each in its one spelling.

    Beside what :func:`plain` does, ``12.0`` and ``12,0`` are ``12``, unless the column holds fractions such as ``1.1``; digits
    of full width are common ones; and the apostrophe or formula (``="12"``) goes by which spreadsheets keep a number as text.
    Leading zeros and case stay: ids that differ by them are kept apart, and the audit reports them.
    """
    texts = list(texts)
    spelling = {text: plain(_QUOTED.sub(r"\1\2", plain(text).translate(_WIDE))) for text in dict.fromkeys(texts)}
    if not any(map(_FRACTION.fullmatch, spelling.values())):
        spelling = {text: _WHOLE.sub(r"\1", bare) if _WHOLE.fullmatch(bare) else bare for text, bare in spelling.items()}
    return [spelling[text] for text in texts]


def is_missing(text: str) -> bool:
    """Whether a text says that a value is not there: nothing, ``NA``, ``nan``, ``-``, ``?``, ``unknown``."""
    word = " ".join(plain(text).casefold().split())
    bare = _BETWEEN.sub("", word)
    return not bare or bare in _MISSING_BARE or word in _MISSING


def is_no_group(text: str) -> bool:
    """Whether a text names no patient: as :func:`is_missing`, or ``-1``, ``-9``, ``-999``, by which a missing one is coded."""
    return is_missing(text) or _CODED.fullmatch(plain(text)) is not None


def is_rounded(text: str) -> bool:
    """Whether a text is a long number as spreadsheets show it, ``1.23457E+08``: many ids become one in this way."""
    return _ROUNDED.fullmatch(plain(text)) is not None


def look(text: str) -> str:
    """What a text looks like: equal for ``007`` and ``7``, ``Pat-1``, ``pat 1`` and ``PAT1``; ids of one look may be one.

    Letters of other scripts that no eye tells from Latin ones count as these.
    """
    text = unicodedata.normalize("NFKC", plain(text)).translate(_TWINS).casefold()
    # Digits of any script, no marks that choose among the forms of a letter, and no quotes before it.
    text = "".join(str(unicodedata.decimal(sign, sign)) for sign in text if not _VARIANTS.fullmatch(sign)).lstrip(
        "'`\u2018\u2019"
    )
    text = _WHOLE.sub(r"\1", text) if _WHOLE.fullmatch(text) else text
    text = re.sub(r"(?<=[^\W0-9])-(?=[0-9])", "", re.sub(rf"[\s_{_DASHES}]+", "-", text))
    return re.sub(r"(?<![0-9])0+(?=[0-9])", "", text)


def file_name(text: str) -> str:
    """The name of a file or folder that stands for any text, of a study that may come from anybody: it never leaves its folder.

    Letters, digits, ``_``, ``-`` and points stay, all else and a first point become ``_``. A text of more than
    :data:`MOST_BYTES` bytes is cut, and ends in a part of its sha256. Different texts may share a name.
    """
    name = re.sub(r"[^\w.-]+|^\.+", "_", text) or "_"
    data = name.encode("utf-8", errors="replace")
    if len(data) <= MOST_BYTES:
        return name
    mark = hashlib.sha256(text.encode("utf-8", errors="replace")).hexdigest()[:12]
    return f"{data[: MOST_BYTES - 13].decode('utf-8', errors='ignore')}-{mark}"


def file_look(name: str) -> str:
    """A file's name in its one spelling: as :func:`plain`, its ending in lower case."""
    stem, ending = os.path.splitext(plain(name))
    return stem + ending.lower()


def find_file(path: str | Path, endings: Sequence[str] = ()) -> Path:
    """The file that a path means where the disk spells its name in another way: other Unicode, another case of the ending.

    Args:
        path: As it was written.
        endings: What may follow a name that was written without its ending.

    Returns:
        The one file of that name; the path itself where it exists, or where there is none.

    Raises:
        DrifaError: Several files have the name.
    """
    path = Path(path)
    if "\0" in str(path) or os.path.lexists(path):
        return path
    folder = path.parent
    if not os.path.isdir(folder):
        folder = find_file(folder) if folder != folder.parent else folder
    try:
        names = _listed(str(folder), os.stat(folder).st_mtime_ns)
    except OSError:
        return path
    wanted = file_look(path.name)
    found = names.get(wanted, [])
    if not found:
        found = [name for ending in endings for name in names.get(wanted + ending, [])]
    if len(found) > 1:
        raise DrifaError(f"{path} may mean {found[0]!r} or {found[1]!r} in {folder}; write the name as the file has it")
    return folder / found[0] if found else path


@lru_cache(maxsize=64)
def _listed(folder: str, changed: int) -> dict[str, list[str]]:
    """The names in a folder by their one spelling, as long as it has not changed."""
    names: dict[str, list[str]] = {}
    for name in sorted(os.listdir(folder)):
        names.setdefault(file_look(name), []).append(name)
    return names
