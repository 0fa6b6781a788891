import copy

import torch

from ascii_maze.tiny.pretraining.muon import Float32Muon, orthogonalised


def test_muon_without_bfloat16_takes_the_steps_of_torch_s_own_and_goes_on_from_its_state():
    torch.manual_seed(0)
    theirs = [torch.nn.Parameter(torch.randn(shape)) for shape in ((8, 8), (8, 24), (24, 8), (8, 8))]
    ours = copy.deepcopy(theirs)
    settings = {"lr": 0.1, "weight_decay": 0.01, "adjust_lr_fn": "match_rms_adamw"}
    reference, optimizer = torch.optim.Muon(theirs, **settings), Float32Muon(ours, **settings)
    for step in range(4):
        if step == 2:
            optimizer.load_state_dict(copy.deepcopy(reference.state_dict()))
        before = [parameter.detach().clone() for parameter in theirs]
        for expected, parameter in zip(theirs, ours):
            expected.grad = torch.randn_like(expected)
            parameter.grad = expected.grad.clone()
        reference.step()
        optimizer.step()
        for parameter, expected, start in zip(ours, theirs, before):
            moved = (expected - start).norm()
            assert moved > 0.1
            assert (parameter - expected).norm() < 0.05 * moved  # bfloat16 has 8 bits


def test_newton_schulz_keeps_the_singular_vectors_and_makes_the_values_nearly_one():
    torch.manual_seed(0)
    matrices = torch.randn(3, 24, 8)
    u, _, v = torch.linalg.svd(matrices, full_matrices=False)
    values = u.mT @ orthogonalised(matrices, (3.4445, -4.7750, 2.0315), 5) @ v.mT
    torch.testing.assert_close(values, torch.diag_embed(values.diagonal(dim1=-2, dim2=-1)), atol=1e-4, rtol=0)
    assert ((values.diagonal(dim1=-2, dim2=-1) - 1).abs() < 0.4).all()
