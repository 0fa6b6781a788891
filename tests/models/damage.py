"""Damage to a file of weights, for the tables of models and adapters that are not whole; each changes a folder."""


def edited(file, edit):
    """A change of the weights, a dict of tensors, in place."""

    def change(folder):
        from safetensors.torch import load_file, save_file

        tensors = load_file(folder / file)
        edit(tensors)
        save_file({key: tensor.contiguous() for key, tensor in tensors.items()}, folder / file, {"format": "pt"})

    return change


def without(file, part):
    """No tensor whose name has this part."""
    return edited(file, lambda tensors: [tensors.pop(key) for key in list(tensors) if part in key])


def renamed(file, old, new):
    """This part of all names replaced."""
    return edited(
        file, lambda tensors: [tensors.update({key.replace(old, new): tensors.pop(key)}) for key in [*tensors]]
    )


def torn(file):
    """The first half of the file."""

    def change(folder):
        data = (folder / file).read_bytes()
        (folder / file).write_bytes(data[: len(data) // 2])

    return change
