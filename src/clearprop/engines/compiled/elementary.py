"""Elementary functions on vectors, branch-free. No fast-math flags: their rounding tricks must stand."""

import numpy as np
from numba import njit

from clearprop.engines.compiled.vectors import (
    absolute,
    copysign,
    fma,
    select,
    split,
    times_power_of_two,
)


def _build(T, mant, log2e, ln2_hi, ln2_lo, exp_hi, exp_lo, q, logs, erf_small, erf_tail, erf_top):
    MAGIC = T(1.5 * 2.0**mant)
    LOG2E, HI, LO, TOP, BOTTOM = T(log2e), T(ln2_hi), T(ln2_lo), T(exp_hi), T(exp_lo)
    ZERO, HALF, ONE, TWO = T(0), T(0.5), T(1), T(2)
    INF, NAN = T(np.inf), T(np.nan)
    TINY = T(np.finfo(T).smallest_normal)
    SCALE = T(2.0 ** (mant + 2))
    BACK = T(mant + 2)
    TANH_TOP = T(0.5 * (mant + 3))
    ERF_TOP = T(erf_top)

    def poly(name, cs):
        # Horner, unrolled as text: every coefficient a constant of the right type
        body = "C%d" % (len(cs) - 1)
        for i in range(len(cs) - 2, -1, -1):
            body = f"fma({body}, x, C{i})"
        ns = {f"C{i}": T(c) for i, c in enumerate(cs)} | {"fma": fma}
        exec(f"def {name}(x):\n    return {body}\n", ns)
        return njit(ns[name], forceinline=True)

    Q, LOGS, ES, ET = (
        poly(n, c) for n, c in (("q", q), ("logs", logs), ("es", erf_small), ("et", erf_tail))
    )

    @njit(error_model="numpy", forceinline=True)
    def exp(x):
        x = select(x > TOP, TOP, x)
        x = select(x < BOTTOM, BOTTOM, x)
        t = fma(x, LOG2E, MAGIC)
        n = t - MAGIC
        r = fma(n, -LO, fma(n, -HI, x))
        p = fma(r * r, Q(r), r) + ONE
        return times_power_of_two(p, t)

    @njit(error_model="numpy", forceinline=True)
    def expm1(x):
        x = select(x > TOP, TOP, x)
        x = select(x < BOTTOM, BOTTOM, x)
        t = fma(x, LOG2E, MAGIC)
        n = t - MAGIC
        r = fma(n, -LO, fma(n, -HI, x))
        p = fma(r * r, Q(r), r)
        # 2^n (1 + p) - 1, never forming 1 + p;  2^128 does not exist, twice 2^127 does
        s = times_power_of_two(HALF, t)
        y = TWO * fma(s, p, s - HALF)
        return select(absolute(x) < TINY, x, y)

    @njit(error_model="numpy", forceinline=True)
    def log(x):
        small = x < TINY
        m, e = split(select(small, x * SCALE, x))
        e = select(small, e - BACK, e)
        f = m - ONE
        s = f / (TWO + f)
        z = s * s
        h = HALF * f * f
        y = fma(e, HI, f - (h - fma(s, fma(z, LOGS(z), h), e * LO)))
        y = select(x == INF, x, y)
        y = select(x == ZERO, -INF, y)
        return select(x >= ZERO, y, NAN)

    @njit(error_model="numpy", forceinline=True)
    def log1p(x):
        u = ONE + x
        m, e = split(u)
        f = m - ONE
        # what rounding lost of 1 + x, relative to u
        big = select(x > ONE, x, ONE)
        less = select(x > ONE, ONE, x)
        c = (less - (u - big)) / u
        s = f / (TWO + f)
        z = s * s
        h = HALF * f * f
        y = fma(e, HI, f - (h - (fma(s, fma(z, LOGS(z), h), e * LO) + c)))
        y = select(absolute(x) < TINY, x, y)
        y = select(x == INF, x, y)
        y = select(x == -ONE, -INF, y)
        return select(x >= -ONE, y, NAN)

    @njit(error_model="numpy", forceinline=True)
    def tanh(x):
        a = absolute(x)
        a = select(a > TANH_TOP, TANH_TOP, a)
        e = expm1(TWO * a)
        return copysign(e / (e + TWO), x)

    @njit(error_model="numpy", forceinline=True)
    def erf(x):
        a = absolute(x)
        b = select(a > ERF_TOP, ERF_TOP, a)
        tail = ONE - exp(-b * b) * ET((b - TWO) / (b + TWO))
        return select(a < ONE, x * ES(x * x), copysign(tail, x))

    return exp, expm1, log, log1p, tanh, erf


_ln2 = "0.693147180559945309417232121458176568"
exp32, expm132, log32, log1p32, tanh32, erf32 = _build(
    np.float32,
    23,
    1.4426950408889634,
    0.693359375,
    -2.12194440054690583e-4,
    89.0,
    -104.0,
    (
        0.499999934337191614,
        0.1666652040193470935,
        0.04166839031704462719,
        0.00836874496206841319,
        0.001381456887961930798,
    ),
    (0.666666853200256326, 0.3998869539801262392, 0.295831089407873471),
    (
        1.128379165727088786,
        -0.3761262582510113236,
        0.1128358515067600367,
        -0.02685381184639749749,
        0.005188327319515220963,
        -0.0008010189247274423682,
        0.00007853844045899821437,
    ),
    (
        0.255395676292939579,
        -0.4271858508820312264,
        0.2416582043934772609,
        -0.07897827323057260554,
        0.003732299625750422109,
        0.006990169534820955633,
        -0.0008375192416544428891,
        -0.000919350270440468104,
    ),
    4.2,
)
exp64, expm164, log64, log1p64, tanh64, erf64 = _build(
    np.float64,
    52,
    1.4426950408889634,
    6.93147180369123816490e-01,
    1.90821492927058770002e-10,
    710.0,
    -746.0,
    (
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
    (
        0.6666666666666669748,
        0.3999999999989789298,
        0.2857142862665070554,
        0.2222221103177420286,
        0.1818289620766246866,
        0.1533149775623791023,
        0.1461909697668817439,
    ),
    (
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
    (
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
    6.2,
)
