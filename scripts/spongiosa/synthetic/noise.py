"""Sharpness and noise of a reconstruction kernel, applied slice by slice in the frequency domain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from spongiosa.synthetic.parameters import Kernel


@dataclass(frozen=True)
class KernelModel:
    """A reconstruction kernel: modulation transfer exp(-(f / f0)^2) (1 + boost (f / f1)^2 exp(-(f / f1)^2)), f per mm.

    The noise power spectrum is the ramp times the squared transfer.
    """

    cut_per_mm: float
    boost: float
    boost_per_mm: float

    def transfer(self, frequency_per_mm: NDArray[np.float32]) -> NDArray[np.float32]:
        """Modulation transfer at spatial frequencies."""
        f = frequency_per_mm
        plain = np.exp(-((f / self.cut_per_mm) ** 2))
        relative = (f / self.boost_per_mm) ** 2
        return np.asarray(plain * (1.0 + self.boost * relative * np.exp(1.0 - relative)), dtype=np.float32)


KERNELS: Final[dict[Kernel, KernelModel]] = {
    "soft": KernelModel(0.40, 0.0, 0.3),
    "standard": KernelModel(0.55, 0.0, 0.3),
    "bone": KernelModel(0.95, 0.45, 0.45),
}
"""50 % transfer at about 3.3, 4.6 and 9 line pairs per cm, as in body, standard and bone kernels of clinical scanners
(rounded after Solomon et al., Med Phys 2012;39:6048-6055, who give noise spectra for two vendors)."""


class Reconstruction:
    """Filters slices of one shape and adds the noise of a kernel."""

    def __init__(
        self,
        kernel: Kernel,
        shape: tuple[int, int],
        pixel_mm: float,
        noise_sd_hu: float,
        slice_overlap: float,
        seed: int,
    ) -> None:
        self._shape = shape
        self._rng = np.random.default_rng(seed)
        self._overlap = slice_overlap
        fy = np.fft.fftfreq(shape[0], pixel_mm).astype(np.float32)[:, None]
        fx = np.fft.rfftfreq(shape[1], pixel_mm).astype(np.float32)[None, :]
        frequency = np.sqrt(fx * fx + fy * fy)
        model = KERNELS[kernel]
        self._transfer = model.transfer(frequency)
        amplitude = np.sqrt(frequency) * self._transfer
        # A real white image of unit variance has E|F|^2 = n; columns of the half spectrum count twice but for two.
        weight = np.full(frequency.shape, 2.0)
        weight[:, 0] = 1.0
        if shape[1] % 2 == 0:
            weight[:, -1] = 1.0
        variance = float((weight * amplitude**2).sum()) / (shape[0] * shape[1])
        self._noise_amplitude = (amplitude * (noise_sd_hu / np.sqrt(variance))).astype(np.float32)
        self._previous: NDArray[np.complex64] | None = None

    def slice(self, hu: NDArray[np.float32]) -> NDArray[np.float32]:
        """One slice through the kernel, with noise. Overlapping slices share noise: call in the order of the scan."""
        white = fft.rfft2(self._rng.standard_normal(self._shape, dtype=np.float32))
        if self._previous is not None and self._overlap > 0.0:
            rho = np.float32(self._overlap)
            white = rho * self._previous + np.sqrt(np.float32(1.0) - rho * rho) * white
        self._previous = white
        spectrum = fft.rfft2(hu) * self._transfer + white * self._noise_amplitude
        return np.asarray(fft.irfft2(spectrum, s=self._shape), dtype=np.float32)
