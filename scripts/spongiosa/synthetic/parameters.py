"""What a synthetic patient and its scan are made from: every dimension, density and setting has a name and a unit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from spongiosa.synthetic.phantoms import Phantom
from spongiosa.synthetic.posture import Posture
from spongiosa.synthetic.variants import Variant

Sex = Literal["F", "M"]
Kernel = Literal["soft", "standard", "bone"]
PatientPosition = Literal["HFS", "FFS", "HFP", "FFP"]
LumbarCount = Literal[4, 5, 6]
LumbosacralJunction = Literal["regular", "sacralised_l5", "lumbarised_s1"]
TwelfthRib = Literal["regular", "rudimentary", "absent"]


@dataclass(frozen=True)
class PatientParameters:
    """A patient's body, before any scanner.

    Densities are mg/cm3 of calcium hydroxyapatite at the trabecular core; levels are named "T1" ... "L6". A level
    absent
    from `level_density_mg_cm3` takes `trabecular_density_mg_cm3` and the published trend over the levels
    (`morphometry.density_trend`).
    """

    sex: Sex = "F"
    age_years: float = 62.0
    stature_m: float = 1.63
    """Scales every length of the skeleton linearly; the morphometric tables hold for 1.63 m (F) and 1.76 m (M)."""
    bmi_kg_m2: float = 25.0
    """Sets girth and the thickness of the subcutaneous and visceral fat."""

    shape_variation: float = 1.0
    """Scales the published differences between persons and levels in the skeleton's dimensions; 0 gives the means."""

    trabecular_density_mg_cm3: float = 110.0
    level_density_mg_cm3: Mapping[str, float] = field(default_factory=dict)
    marrow_fat_fraction: float = 0.5
    """Volume fraction of yellow marrow in the marrow space of the vertebral bodies."""
    texture_sd_mg_cm3: float = 18.0
    """Standard deviation of the trabecular density about its regional mean."""
    texture_correlation_mm: float = 1.3
    posterior_density_factor: float = 1.25
    """Trabecular density of pedicles and posterior elements relative to the body."""

    cortical_thickness_mm: float = 0.5
    endplate_thickness_mm: float = 0.6
    posterior_cortical_thickness_mm: float = 0.9
    cortical_thickness_variation: float = 0.45
    """Relative standard deviation of the thickness of the compact bone from place to place."""

    lordosis_deg: float = 46.0
    """Cobb angle, superior endplate of L1 to superior endplate of S1."""
    sacral_slope_deg: float = 38.0
    kyphosis_deg: float = 38.0
    """Cobb angle, superior endplate of T1 to inferior endplate of T12."""
    scoliosis_cobb_deg: float = 0.0
    """Coronal Cobb angle of a curve five vertebrae long; positive is convex to the patient's left."""
    scoliosis_apex: str = "L2"
    axial_rotation_deg: float = 0.0
    """Rotation of the apical vertebra about its own axis; positive turns the front to the patient's left."""
    disc_height_factor: float = 1.0

    goutallier_grade: int = 1
    """Fat infiltration of multifidus and erector spinae, 0 (none) to 4 (more fat than muscle)."""
    blood_iodine_mg_ml: float = 0.0
    """Iodine in aorta and vena cava: 0 native, about 4 portal venous, about 12 arterial."""
    aortic_calcification: float = 0.3
    """Fraction of the aortic wall that is calcified."""

    lumbar_vertebrae: LumbarCount = 5
    lumbosacral_junction: LumbosacralJunction = "regular"
    twelfth_rib: TwelfthRib = "regular"
    has_thirteenth_rib: bool = False

    posture: Posture = field(default_factory=Posture)
    """How the patient lies in this examination."""

    variants: tuple[Variant, ...] = ()
    """Fractures, degeneration, lesions and implants, applied in order."""


@dataclass(frozen=True)
class ScannerParameters:
    """How a CT scanner looks at the patient and reconstructs the image.

    The in-plane field of view is rows x columns x pixel spacing, centred `off_centre_mm` from the middle of the trunk.
    Along the axis it runs from `cranial_margin_mm` above the superior end of `cranial_level` down to
    `caudal_margin_mm` below the inferior end of `caudal_level`; negative margins cut through that vertebra.
    """

    rows: int = 512
    columns: int = 512
    pixel_spacing_mm: float = 0.78
    slice_thickness_mm: float = 1.25
    slice_spacing_mm: float = 1.25
    cranial_level: str = "T11"
    cranial_margin_mm: float = 10.0
    caudal_level: str = "S1"
    caudal_margin_mm: float = 35.0
    off_centre_mm: tuple[float, float] = (0.0, 0.0)
    """Shift of the field of view to the patient's left and posterior."""

    kvp: float = 120.0
    kernel: Kernel = "standard"
    noise_sd_hu: float = 15.0
    """Standard deviation in the image, after the kernel."""
    gantry_tilt_deg: float = 0.0
    """Positive leans the top of the gantry towards the feet."""
    patient_position: PatientPosition = "HFS"

    has_table: bool = True
    beam_hardening: float = 0.0
    """0 for none, 1 for an uncorrected scanner: cupping and dark bands between dense structures."""
    has_metal_artefacts: bool = True
    """Streaks and shadows around metal, where the patient has any."""
    padding_hu: int | None = None
    """Value outside the circular reconstruction field; None fills the whole square with image."""
    clips_to_12_bit: bool = True
    """Limits the image to -1024 ... 3071 HU."""
    phantom: str | Phantom | None = None
    """The calibration phantom under the patient: a name of `phantoms.PHANTOMS`, a phantom of one's own, or None."""
