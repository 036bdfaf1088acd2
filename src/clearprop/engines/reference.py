"""The reference engine: the definition, on any array library."""

from clearprop.architecture import Architecture
from clearprop.arrays import Array, asarray_like, concat_flat, sum_first, sum_last
from clearprop.engines._base import Batch, Engine, Sums
from clearprop.equations import bp2, bp3, bp4, forward, loss_terms, output_error
from clearprop.trace import KEEP

__all__ = ["ReferenceEngine"]


class ReferenceEngine(Engine):
    """The algorithm of Nielsen's ch. 2 on a whole batch at once, in the arrays that are given.

    Computes with NumPy, PyTorch or JAX: whichever ``batch.x`` comes from. The parameters follow it.
    """

    name = "reference"

    def output(
        self, architecture: Architecture, parameters: Array, x: Array
    ) -> tuple[Array, Array]:
        """z^L and a^L, each of shape (m, n_L), for inputs x of shape (m, n_1)."""
        flat = asarray_like(parameters, x)
        W, b = architecture.weights(flat), architecture.biases(flat)
        z = a = x
        for i in architecture.layers:
            z = forward(W[i], b[i], a)
            a = architecture.activation(i)(z)
        return z, a

    def sums(self, architecture: Architecture, parameters: Array, batch: Batch, keep: str) -> Sums:
        """One forward and one backward pass."""
        flat = asarray_like(parameters, batch.x)
        W, b = architecture.weights(flat), architecture.biases(flat)
        f, last = architecture.activation, architecture.n_layers
        masks = {i: asarray_like(mask, batch.x) for i, mask in batch.masks.items()}

        # Forward. `active` is f(z) before dropout: it is what the pullback of BP2 wants.
        z, active, a = {}, {}, {1: batch.x * masks[1] if 1 in masks else batch.x}
        for i in architecture.layers:
            z[i] = forward(W[i], b[i], a[i - 1])
            active[i] = f(i)(z[i])
            a[i] = active[i] * masks[i] if i in masks else active[i]
        losses = sum_last(loss_terms(architecture.loss, f(last), z[last], a[last], batch.y))[:, 0]

        # Backward. The error of the input layer is never computed.
        delta = {last: output_error(architecture.loss, f(last), z[last], a[last], batch.y)}
        for i in range(last - 1, 1, -1):
            delta[i] = bp2(f(i), z[i], active[i], W[i + 1], delta[i + 1], masks.get(i))
        weight = batch.sample_weight
        gradient = concat_flat(
            [
                part
                for i in architecture.layers
                for part in (bp4(delta[i], a[i - 1], weight), bp3(delta[i], weight))
            ]
        )

        total = sum_first(losses if weight is None else losses * weight)
        count = float(batch.x.shape[0]) if weight is None else float(sum_first(weight))
        everything = {
            "sample_losses": losses,
            "parameters": flat,
            "z": z,
            "a": a,
            "delta": delta,
            "y": batch.y,
            "sample_weight": weight,
            "masks": masks,
        }
        kept = {name: value for name, value in everything.items() if name in KEEP[keep]}
        return Sums(count, float(total), gradient, kept)
