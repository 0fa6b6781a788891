import pytest

from ascii_maze.models.quantisation import dequantised

pytest.importorskip("bitsandbytes")


@pytest.fixture(scope="module")
def quantised():
    from trl import ModelConfig

    from ascii_maze.models.loading import load_base

    return load_base(ModelConfig(model_name_or_path="tiny", dtype="float32", load_in_4bit=True)).eval()


def test_weights_that_are_dequantised_once_give_the_same_numbers(quantised):
    import torch

    ids = torch.arange(12)[None]
    with torch.inference_mode():
        before = quantised(input_ids=ids).logits
        with dequantised(quantised):
            inside = quantised(input_ids=ids).logits
            with dequantised(quantised):
                pass
            assert any("forward" in vars(module) for module in quantised.modules())  # still, after a block inside
        after = quantised(input_ids=ids).logits
    torch.testing.assert_close(inside, before, rtol=1e-5, atol=1e-5)
    assert torch.equal(after, before)
    assert not any("forward" in vars(module) for module in quantised.modules())
