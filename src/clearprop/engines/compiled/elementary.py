r"""exp, expm1, log, log1p, tanh and erf of vectors, without branches.

Each follows the same plan: bring the argument into a small interval by an identity that costs no
accuracy, use a polynomial there, and undo the identity.

- **exp**: :math:`x = n \ln 2 + r` with an integer n and :math:`|r| \le \ln 2 / 2`; then
  :math:`e^x = 2^n e^r` and :math:`e^r = 1 + r + r^2 q(r)`. n is rounded by adding
  :math:`1.5 \cdot 2^{\text{mantissa bits}}`, where the numbers are 1 apart, and subtracting it
  again. :math:`\ln 2` comes in two parts; the high one has so few bits that n times it is exact.
- **expm1**: the same, as :math:`2^n (r + r^2 q(r)) + (2^n - 1)`.
- **log**: :math:`x = m 2^e` with m around 1. For :math:`f = m - 1` and
  :math:`s = f / (2 + f)`, :math:`\ln m = 2 \operatorname{artanh} s = 2s + s z R(z)` with
  :math:`z = s^2`. It is added up as :math:`f - (f^2/2 - s (f^2/2 + z R(z)))`, whose first term is
  exact and far larger than the others.
- **log1p**: the logarithm of the rounded sum :math:`u = 1 + x`, plus what rounding lost of it
  relative to u, which is the derivative's share.
- **tanh**: :math:`\tanh x = e / (e + 2)` with :math:`e = e^{2|x|} - 1`, and the sign of x.
- **erf**: :math:`x P(x^2)` below 1; from there on :math:`1 - e^{-x^2} G(t)` with
  :math:`t = (x - 2) / (x + 2)`, and the sign of x.

The largest errors found over millions of numbers, in units of the last place, are 1.0 (exp), 2.0
(expm1), 0.8 (log and log1p), 2.5 (tanh) and 2.1 (erf). NaN stays NaN; infinities and zeros of
either sign come out as in C.

The coefficients are our own, fitted by Remez's algorithm in 50 digits: each polynomial is the one
of its degree whose largest error over its interval is least. Nothing here may be compiled with
"fast math": the rounding tricks would be simplified away.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit

from clearprop.engines.compiled.vectors import (
    absolute,
    copysign,
    fma,
    polynomial,
    select,
    split,
    times_power_of_two,
)

__all__ = [
    "erf32",
    "erf64",
    "exp32",
    "exp64",
    "expm132",
    "expm164",
    "log1p32",
    "log1p64",
    "log32",
    "log64",
    "tanh32",
    "tanh64",
]

_LOG2_E = 1.4426950408889634


@dataclass(frozen=True)
class _Constants:
    """What differs between float32 and float64.

    Attributes
    ----------
    dtype : type
    ln2_high, ln2_low : float
        They add up to ln 2.
    exp_high, exp_low : float
        From here on, e^x is infinite, or 0.
    exp_q : tuple of float
        q(r) = (e^r - 1 - r) / r² for |r| ≤ ln 2 / 2; the error is of e^r, relatively.
    log_r : tuple of float
        R(z) = (2 artanh(√z) / √z - 2) / z for 0 ≤ z ≤ ((√2 - 1) / (√2 + 1))².
    erf_p : tuple of float
        P(z) = erf(√z) / √z for 0 ≤ z ≤ 1; relative error.
    erf_top : float
        From here on, erf(x) is 1.
    erfc_g : tuple of float
        G(t) = e^{x²} erfc(x) for x from 1 to ``erf_top``, t = (x - 2) / (x + 2); relative error.
    """

    dtype: Any
    ln2_high: float
    ln2_low: float
    exp_high: float
    exp_low: float
    exp_q: tuple[float, ...]
    log_r: tuple[float, ...]
    erf_p: tuple[float, ...]
    erf_top: float
    erfc_g: tuple[float, ...]


_FLOAT32 = _Constants(
    dtype=np.float32,
    ln2_high=0.693359375,  # 355/512, of 9 bits
    ln2_low=-2.12194440054690583e-4,
    exp_high=89.0,
    exp_low=-104.0,
    exp_q=(  # error 3.1e-9
        0.499999934337191614,
        0.1666652040193470935,
        0.04166839031704462719,
        0.00836874496206841319,
        0.001381456887961930798,
    ),
    log_r=(  # error 1.9e-7
        0.666666853200256326,
        0.3998869539801262392,
        0.295831089407873471,
    ),
    erf_p=(  # error 1.2e-9
        1.128379165727088786,
        -0.3761262582510113236,
        0.1128358515067600367,
        -0.02685381184639749749,
        0.005188327319515220963,
        -0.0008010189247274423682,
        0.00007853844045899821437,
    ),
    erf_top=4.2,
    erfc_g=(  # error 5.9e-10
        0.255395676292939579,
        -0.4271858508820312264,
        0.2416582043934772609,
        -0.07897827325723060554,
        0.003732299625750422109,
        0.006990169534820955633,
        -0.0008375192416544428891,
        -0.000919350270440468104,
    ),
)

_FLOAT64 = _Constants(
    dtype=np.float64,
    ln2_high=6.93147180369123816490e-01,  # of 32 bits
    ln2_low=1.90821492927058770002e-10,
    exp_high=710.0,
    exp_low=-746.0,
    exp_q=(  # error 3.7e-18
        0.5000000000000010669,
        0.1666666666666641164,
        0.04166666666652972477,
        0.00833333333349491388,
        0.001388888894376094296,
        0.0001984126950588531931,
        0.00002480149294855224013,
        2.75575867199195858e-6,
        2.763030666772744377e-7,
        2.500004192738522373e-8,
    ),
    log_r=(  # error 3.1e-16
        0.6666666666666669748,
        0.3999999999989789298,
        0.2857142862665070554,
        0.2222221103177420286,
        0.1818289620766246866,
        0.1533149775623791023,
        0.1461909697668817439,
    ),
    erf_p=(  # error 7.3e-18
        1.128379167095512566,
        -0.3761263890318351954,
        0.1128379167094418431,
        -0.02686617064311137411,
        0.00522397760611761999,
        -0.0008548325929271575715,
        0.0001205529357558529196,
        -0.0000149247122763996603,
        1.644713125315938968e-6,
        -1.620631131761311587e-7,
        1.37109698597732553e-8,
        -7.779448913247819925e-10,
    ),
    erf_top=6.2,
    erfc_g=(  # error 1.2e-17
        0.2553956763105057465,
        -0.4271858474139584624,
        0.2416581942424643099,
        -0.0789785810157107089,
        0.003732892404596968649,
        0.006997461737130184144,
        -0.0008471432627595904305,
        -0.0009819769373432500512,
        0.00004355581512992409243,
        0.0001743591974102842087,
        0.00002752449145608450174,
        -0.00002755705962637902185,
        -0.00001398392382680268226,
        1.265570642218797422e-6,
        3.996038187647026743e-6,
        1.387997056086449955e-6,
        -1.219769199776539979e-6,
    ),
)

# Inlined without exception: a call would spill the caller's vectors to memory.
_inlined = njit(error_model="numpy", forceinline=True)


def _exponentials(constants):
    """Exp and expm1."""
    number = constants.dtype
    mantissa_bits = np.finfo(number).nmant
    rounder = number(1.5 * 2.0**mantissa_bits)
    log2_e = number(_LOG2_E)
    ln2_high, ln2_low = number(constants.ln2_high), number(constants.ln2_low)
    high, low = number(constants.exp_high), number(constants.exp_low)
    half, one, two = number(0.5), number(1), number(2)
    tiny = np.finfo(number).smallest_normal
    q = polynomial(constants.exp_q, number)

    @_inlined
    def reduced(x):
        """(n + rounder, e^r - 1) with x = n ln 2 + r."""
        x = select(x > high, high, x)
        x = select(x < low, low, x)
        shifted = fma(x, log2_e, rounder)
        n = shifted - rounder
        r = fma(n, -ln2_low, fma(n, -ln2_high, x))
        return shifted, fma(r * r, q(r), r)

    @_inlined
    def exp(x):
        shifted, p = reduced(x)
        return times_power_of_two(p + one, shifted)

    @_inlined
    def expm1(x):
        shifted, p = reduced(x)
        # Half of it, and then twice that: 2^128 does not exist in float32, 2^127 does.
        half_power = times_power_of_two(half, shifted)
        y = two * fma(half_power, p, half_power - half)
        # So near 0 it is x, and -0 stays -0.
        return select(absolute(x) < tiny, x, y)

    return exp, expm1


def _logarithms(constants):
    """Log and log1p."""
    number = constants.dtype
    info = np.finfo(number)
    ln2_high, ln2_low = number(constants.ln2_high), number(constants.ln2_low)
    zero, half, one, two = number(0), number(0.5), number(1), number(2)
    infinity, nan = number(np.inf), number(np.nan)
    tiny = info.smallest_normal
    # Makes a subnormal number normal, and what that adds to its exponent.
    lift, lifted_by = number(2.0 ** (info.nmant + 2)), number(info.nmant + 2)
    log_r = polynomial(constants.log_r, number)

    @_inlined
    def log(x):
        subnormal = x < tiny
        m, e = split(select(subnormal, x * lift, x))
        e = select(subnormal, e - lifted_by, e)
        f = m - one
        s = f / (two + f)
        z = s * s
        h = half * f * f
        y = fma(e, ln2_high, f - (h - fma(s, fma(z, log_r(z), h), e * ln2_low)))
        y = select(x == infinity, x, y)
        y = select(x == zero, -infinity, y)
        return select(x >= zero, y, nan)

    @_inlined
    def log1p(x):
        u = one + x
        m, e = split(u)
        f = m - one
        larger = select(x > one, x, one)
        smaller = select(x > one, one, x)
        lost = (smaller - (u - larger)) / u
        s = f / (two + f)
        z = s * s
        h = half * f * f
        y = fma(e, ln2_high, f - (h - (fma(s, fma(z, log_r(z), h), e * ln2_low) + lost)))
        y = select(absolute(x) < tiny, x, y)
        y = select(x == infinity, x, y)
        y = select(x == -one, -infinity, y)
        return select(x >= -one, y, nan)

    return log, log1p


def _tanh(constants, expm1):
    number = constants.dtype
    two = number(2)
    # From here on, 1 - tanh(x) is less than half of the last place.
    top = number(0.5 * (np.finfo(number).nmant + 3))

    @_inlined
    def tanh(x):
        size = absolute(x)
        size = select(size > top, top, size)
        e = expm1(two * size)
        return copysign(e / (e + two), x)

    return tanh


def _erf(constants, exp):
    number = constants.dtype
    one, two, top = number(1), number(2), number(constants.erf_top)
    erf_p = polynomial(constants.erf_p, number)
    erfc_g = polynomial(constants.erfc_g, number)

    @_inlined
    def erf(x):
        size = absolute(x)
        b = select(size > top, top, size)
        tail = one - exp(-b * b) * erfc_g((b - two) / (b + two))
        return select(size < one, x * erf_p(x * x), copysign(tail, x))

    return erf


exp32, expm132 = _exponentials(_FLOAT32)
log32, log1p32 = _logarithms(_FLOAT32)
tanh32 = _tanh(_FLOAT32, expm132)
erf32 = _erf(_FLOAT32, exp32)

exp64, expm164 = _exponentials(_FLOAT64)
log64, log1p64 = _logarithms(_FLOAT64)
tanh64 = _tanh(_FLOAT64, expm164)
erf64 = _erf(_FLOAT64, exp64)
