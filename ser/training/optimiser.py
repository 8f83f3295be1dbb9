"""AdamW, without the compiler that torch's optimisers import when they are first used."""

import inspect

import torch


class AdamW(torch.optim.AdamW):
    """The AdamW of torch, to the bit; arguments as there.

    Torch wraps five methods of its optimisers so that `torch.compile` leaves them alone. The
    wrappers import the compiler, for about a second of processor time, where nothing is compiled.
    Nothing is here, so these are the methods within the wrappers; where torch wraps one no longer,
    it is the method itself. That of `step` also keeps a step out of the graph of gradients.
    """

    add_param_group = inspect.unwrap(torch.optim.AdamW.add_param_group)
    zero_grad = inspect.unwrap(torch.optim.AdamW.zero_grad)
    state_dict = inspect.unwrap(torch.optim.AdamW.state_dict)
    load_state_dict = inspect.unwrap(torch.optim.AdamW.load_state_dict)
    step = torch.no_grad()(inspect.unwrap(torch.optim.AdamW.step))
