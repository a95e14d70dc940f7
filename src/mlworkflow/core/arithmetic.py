"""What could make the bits of a result depend on the machine, fixed by the environment before NumPy is imported."""

from __future__ import annotations

FIXED = {
    "OMP_NUM_THREADS": "1",  # folds run in parallel instead: sums over threads differ in the last bit
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_CORETYPE": "Haswell",  # one set of kernels on every x86-64 machine with AVX2
    "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",  # exp and log differ in the last bit with AVX-512
    "MPLBACKEND": "svg",
}
