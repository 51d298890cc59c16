"""What a modality or a task may be called."""

from __future__ import annotations

import re

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
