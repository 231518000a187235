"""What TotalSegmentator asks of memory: the real package with networks of constant answer, as no weights are at hand.

    python benchmarks/totalsegmentator_memory.py --features 32 --shape 40 40 40 --spacing 3
    python benchmarks/totalsegmentator_memory.py --features 2 --shape 512 512 250 --spacing 0.8

Runs in the environment of envs/totalsegmentator.yaml, on the CPU, one scan in a process.  The networks have the layout
of nnU-Net's standard `3d_fullres` (patches of 128^3 at 1.5 mm, six stages, features doubled at each, up to ten times
those of the first, which are 32) and the numbers of classes of the models; their answer is one vertebra everywhere, so
that nothing is cropped.  A network of full width on a small scan gives what a patch takes, a narrow one on a large scan
what the scan takes: a whole scan through a network of full width would be hours on a CPU.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import tempfile
import time
from pathlib import Path

import numpy as np

from spongiosa.outcome import Excluded
from spongiosa.volume import Geometry, Volume

#: Folder of a model, its trainer, classes with the background, and the class that it answers everywhere.
MODELS = (
    ("Dataset298_TotalSegmentator_total_6mm_1559subj", "nnUNetTrainer_4000epochs_NoMirroring", 118, 29),
    ("Dataset292_TotalSegmentator_part2_vertebrae_1532subj", "nnUNetTrainerNoMirroring", 27, 5),
    ("Dataset305_vertebrae_discs_1559subj", "nnUNetTrainer_DASegOrd0", 3, 1),
)
STAGES, MOST_WIDENING = 6, 10
#: Edge of a patch by edge of its voxels [mm]: at 6 mm, 96 voxels are more than the field of view of a scanner.
PATCH = {1.5: 128, 6.0: 96}


def write_models(folder: Path, features: int) -> None:
    """The three models with `features` at their first stage; all weights 0, so that a bias is the answer."""
    import torch
    from dynamic_network_architectures.architectures.unet import PlainConvUNet

    widths = [features * min(2**stage, MOST_WIDENING) for stage in range(STAGES)]
    layout = {
        "n_stages": STAGES,
        "features_per_stage": widths,
        "kernel_sizes": [[3, 3, 3]] * STAGES,
        "strides": [[1, 1, 1]] + [[2, 2, 2]] * (STAGES - 1),
        "n_conv_per_stage": [2] * STAGES,
        "n_conv_per_stage_decoder": [2] * (STAGES - 1),
        "conv_bias": True,
        "norm_op_kwargs": {"eps": 1e-5, "affine": True},
        "dropout_op": None,
        "dropout_op_kwargs": None,
        "nonlin_kwargs": {"inplace": True},
    }
    parts = {"conv_op": torch.nn.Conv3d, "norm_op": torch.nn.InstanceNorm3d, "nonlin": torch.nn.LeakyReLU}
    for name, trainer, classes, answer in MODELS:
        model = folder / name / f"{trainer}__nnUNetPlans__3d_fullres"
        (model / "fold_0").mkdir(parents=True)
        named = {key: f"{part.__module__}.{part.__name__}" for key, part in parts.items()}
        spacing_mm = 6.0 if "6mm" in name else 1.5
        (model / "plans.json").write_text(json.dumps(_plans(name, spacing_mm, layout | named)), encoding="utf-8")
        labels = {"background": 0} | {f"class{number}": number for number in range(1, classes)}
        described = {"channel_names": {"0": "CT"}, "labels": labels, "numTraining": 1, "file_ending": ".nii.gz"}
        (model / "dataset.json").write_text(json.dumps(described), encoding="utf-8")
        network = PlainConvUNet(1, num_classes=classes, deep_supervision=False, **layout, **parts)
        weights = {key: torch.zeros_like(value) for key, value in network.state_dict().items()}
        for key in weights:
            if "seg_layers" in key and key.endswith("bias"):
                weights[key][answer] = 5.0
        checkpoint = {"network_weights": weights, "trainer_name": trainer, "init_args": {"configuration": "3d_fullres"}}
        checkpoint["inference_allowed_mirroring_axes"] = None
        torch.save(checkpoint, model / "fold_0" / "checkpoint_final.pth")


def _plans(name: str, spacing_mm: float, layout: dict[str, object]) -> dict[str, object]:
    function = "resample_data_or_seg_to_shape"
    how = {"order": 1, "order_z": 0, "force_separate_z": None}
    configuration = {
        "data_identifier": name,
        "preprocessor_name": "DefaultPreprocessor",
        "batch_size": 1,
        "patch_size": [PATCH[spacing_mm]] * 3,
        "median_image_size_in_voxels": [float(PATCH[spacing_mm])] * 3,
        "spacing": [spacing_mm] * 3,
        "normalization_schemes": ["CTNormalization"],
        "use_mask_for_norm": [False],
        **{f"resampling_fn_{what}": function for what in ("data", "seg", "probabilities")},
        **{
            f"resampling_fn_{what}_kwargs": how | {"is_seg": what == "seg"} for what in ("data", "seg", "probabilities")
        },
        "architecture": {
            "network_class_name": "dynamic_network_architectures.architectures.unet.PlainConvUNet",
            "arch_kwargs": layout,
            "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
        },
        "batch_dice": False,
    }
    percentiles = {"percentile_00_5": -1000.0, "percentile_99_5": 1000.0}
    return {
        "dataset_name": name,
        "plans_name": "nnUNetPlans",
        "original_median_spacing_after_transp": [spacing_mm] * 3,
        "original_median_shape_after_transp": [PATCH[spacing_mm]] * 3,
        "image_reader_writer": "NibabelIO",
        "transpose_forward": [0, 1, 2],
        "transpose_backward": [0, 1, 2],
        "configurations": {"3d_fullres": configuration},
        "experiment_planner_used": "ExperimentPlanner",
        "label_manager": "LabelManager",
        "foreground_intensity_properties_per_channel": {
            "0": {"max": 1000.0, "mean": 0.0, "median": 0.0, "min": -1000.0, "std": 300.0} | percentiles
        },
    }


def peak_mb() -> int:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--features", type=int, default=32, help="features of the first stage")
    parser.add_argument("--shape", type=int, nargs=3, default=(512, 512, 250), help="columns, rows, slices")
    parser.add_argument("--spacing", type=float, default=0.8, help="edge of a voxel [mm]")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TOTALSEG_WEIGHTS_PATH"] = folder
        write_models(Path(folder), options.features)
        print(f"models written: {peak_mb()} MB", flush=True)
        from spongiosa.localise.totalsegmentator import localise_with_totalsegmentator

        shape = tuple(options.shape[::-1])
        noise = np.random.default_rng(0).integers(-100, 300, shape, dtype=np.int16)
        scan = Volume(noise, Geometry(shape, (options.spacing,) * 3, (0.0, 0.0, 0.0), np.eye(3)))
        began = time.process_time()
        try:
            localise_with_totalsegmentator(scan)
        except Excluded as refusal:  # one vertebra everywhere is no spine; what asks for memory lies behind by then
            print(f"refused as expected: {refusal.reason}")
        megavoxels = noise.size / 1e6
        print(f"{megavoxels:.1f} Mvoxel: {peak_mb()} MB, {time.process_time() - began:.0f} s of processor time")


if __name__ == "__main__":
    main()
