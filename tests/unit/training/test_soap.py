"""The optimizer in the eigenbasis of the gradients, against its algorithm written out for whole vectors."""

import numpy as np
import pytest
import torch
from torch import nn

from steadygan.training.optim import SOAP, Adam, PlayerOptimizer
from steadygan.training.state import pack, unpack


def gradients(shape: tuple[int, ...], turns: int, dtype: torch.dtype = torch.float64) -> list[torch.Tensor]:
    """Noise whose directions are of very different sizes along both sides."""
    torch.manual_seed(0)
    mixing = [torch.randn(side, side, dtype=dtype) * torch.logspace(0, -2, side, dtype=dtype) for side in shape[:2]]
    return [torch.einsum("ab,cd,bd...->ac...", *mixing, torch.randn(shape, dtype=dtype)) for _ in range(turns)]


def played(settings, start: torch.Tensor, moves: list[torch.Tensor]) -> torch.Tensor:
    weight = nn.Parameter(start.clone())
    optimizer = settings.build([weight])
    for move in moves:
        weight.grad = move.clone()
        optimizer.step()
    return weight.detach()


def by_whole_vectors(settings: SOAP, moves: list[np.ndarray]) -> np.ndarray:
    """Where a weight (out, in, places) that began at 0 is: Kronecker products, one matrix for all its numbers."""
    out, inside, places = moves[0].shape
    left, right, slow, first = np.zeros((out, out)), np.zeros((inside, inside)), np.zeros(moves[0].size), 0.0
    weight, basis, age = np.zeros(moves[0].size), None, 0
    for turn, move in enumerate(moves, 1):
        left += (1 - settings.beta2) * (np.einsum("aip,bip->ab", move, move) - left)
        right += (1 - settings.beta2) * (np.einsum("oap,obp->ab", move, move) - right)
        if turn == settings.every:
            basis = [np.linalg.eigh(matrix)[1] for matrix in (left, right)]
            slow, first, age = np.zeros_like(slow), 0.0, 0
        elif turn % settings.every == 0:
            slow = slow.reshape(move.shape)
            for side, matrix in enumerate((left, right)):
                sizes = np.diag(basis[side].T @ matrix @ basis[side])
                order = np.argsort(-sizes)
                basis[side] = np.linalg.qr(matrix @ basis[side][:, order])[0]
                slow = np.take(slow, order, axis=side)
            slow = slow.ravel()
        whole = np.kron(np.kron(*basis), np.eye(places)) if basis else np.eye(move.size)
        age += 1
        first = settings.beta1 * first + (1 - settings.beta1) * move.ravel()
        slow = settings.beta2 * slow + (1 - settings.beta2) * (whole.T @ move.ravel()) ** 2
        mean, square = first / (1 - settings.beta1**age), slow / (1 - settings.beta2**age)
        weight -= settings.lr * whole @ (whole.T @ mean / (np.sqrt(square) + 1e-8))
    return weight.reshape(moves[0].shape)


@pytest.mark.parametrize("beta1", [0.0, 0.9])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_a_weight_goes_where_the_algorithm_for_whole_vectors_takes_it(beta1, layout):
    settings = SOAP(lr=0.1, beta1=beta1, beta2=0.9, every=3)
    moves = gradients((5, 4, 3, 2), 11)
    found = played(settings, torch.zeros(5, 4, 3, 2, dtype=torch.float64).to(memory_format=layout), moves)
    wanted = by_whole_vectors(settings, [move.flatten(2).numpy() for move in moves])
    assert np.allclose(found.flatten(2).numpy(), wanted, atol=1e-9)


def turned(size: int, seed: int) -> torch.Tensor:
    torch.manual_seed(seed)
    return torch.linalg.qr(torch.randn(size, size, dtype=torch.float64))[0]


@pytest.mark.parametrize(
    ("settings", "alike"), [(SOAP(lr=0.1, every=1), True), (Adam(lr=0.1, beta1=0, beta2=0.99), False)]
)
def test_it_makes_no_difference_how_the_sides_of_a_weight_are_turned_unlike_to_adam(settings, alike):
    # of a square gradient each side has as many directions as it is long, so that no eigenvector is left to chance
    moves, outer, inner = gradients((5, 5), 9), turned(5, 1), turned(5, 2)
    start = torch.zeros(5, 5, dtype=torch.float64)
    plain = played(settings, start, moves)
    other = outer.T @ played(settings, start, [outer @ move @ inner for move in moves]) @ inner.T
    assert torch.allclose(plain, other, atol=1e-4) == alike


@pytest.mark.parametrize("shape", [(4, 3, 2, 2), (4, 3), (4,), ()])
@pytest.mark.parametrize("beta1", [0.0, 0.5])
def test_without_a_side_to_turn_it_is_adam(shape, beta1):
    form = {"lr": 0.1, "beta1": beta1, "beta2": 0.99, "weight_decay": 0.1}
    moves, start = [torch.randn(shape) for _ in range(6)], torch.randn(shape)
    assert torch.allclose(
        played(SOAP(**form, largest_side=1), start, moves), played(Adam(**form), start, moves), atol=1e-5
    )
    if len(shape) < 2:
        assert torch.equal(played(SOAP(**form, largest_side=1), start, moves), played(SOAP(**form), start, moves))


def test_a_side_that_is_too_long_keeps_its_own_coordinates():
    moves, start = gradients((6, 5), 4), torch.zeros(6, 5, dtype=torch.float64)
    mirrored = [move.T for move in moves]
    one = played(SOAP(lr=0.1, every=2, largest_side=5), start, moves)
    assert torch.allclose(one, played(SOAP(lr=0.1, every=2, largest_side=5), start.T, mirrored).T)
    assert not torch.allclose(one, played(SOAP(lr=0.1, every=2), start, moves), atol=1e-3)


@pytest.mark.parametrize(("every", "left_alone"), [(5, True), (6, False)])
def test_a_side_that_the_gradients_of_a_basis_cannot_fill_keeps_its_own_coordinates(every, left_alone):
    moves, start = gradients((1, 6), 8), torch.zeros(1, 6, dtype=torch.float64)
    adam = played(Adam(lr=0.1, beta1=0, beta2=0.99), start, moves)
    assert torch.allclose(played(SOAP(lr=0.1, every=every), start, moves), adam) == left_alone


@pytest.mark.parametrize("beta1", [0.0, 0.5])
def test_it_leaves_a_gradient_as_it_is_that_is_kept_in_place(beta1):
    settings, start = SOAP(lr=0.1, beta1=beta1, every=2), torch.zeros(6, 5, dtype=torch.float64)
    moves, weight = gradients((6, 5), 5), nn.Parameter(start.clone())
    optimizer = settings.build([weight])
    weight.grad = torch.zeros_like(start)
    for move in moves:
        weight.grad.copy_(move)
        optimizer.step()
        assert torch.equal(weight.grad, move)
    assert torch.equal(weight.detach(), played(settings, start, moves))


@pytest.mark.parametrize("beta1", [0.0, 0.5])
def test_what_was_saved_goes_on_to_the_same_bits(beta1):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 6, 3), nn.ReLU(), nn.Conv2d(6, 2, 3))
    optimizer = PlayerOptimizer(network, SOAP(every=2, beta1=beta1), torch.ones(()))
    batches = torch.randn(8, 4, 3, 8, 8)

    def go_on(network, optimizer, batches):
        for batch in batches:
            optimizer(network(batch).square().mean())
        return [weight.detach().clone() for weight in network.parameters()]

    go_on(network, optimizer, batches[:3])
    again = nn.Sequential(nn.Conv2d(3, 6, 3), nn.ReLU(), nn.Conv2d(6, 2, 3))
    again.load_state_dict(network.state_dict())
    other = PlayerOptimizer(again, SOAP(every=2, beta1=beta1), torch.ones(()))
    other.load_state_dict(unpack(*pack(optimizer.state_dict())))
    pairs = zip(go_on(network, optimizer, batches[3:]), go_on(again, other, batches[3:]), strict=True)
    assert all(torch.equal(one, two) for one, two in pairs)


def test_a_state_that_is_read_lies_where_torch_lays_its_own():
    """Where they lie decides how products of matrices are rounded, on processors without AVX-512."""
    written = torch.arange(65.0)[1:].view(8, 8)
    assert written.data_ptr() % 64, "as in a file"
    plain, tensors = pack([written])
    (read,) = unpack(plain, dict.fromkeys(tensors, written))
    assert read.equal(written)
    assert read.data_ptr() % 64 == torch.empty(8, 8).data_ptr() % 64 == 0
