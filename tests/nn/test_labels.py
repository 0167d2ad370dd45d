"""Labels of one class and of several attributes, against their definitions."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from gansmith.nn.labels import LabelEmbedding, hot, looked_up, naming_loss
from gansmith.nn.norm import PerClass

Y = torch.tensor([[0, 1, 1], [1, 0, 0]])
CLASSES = torch.tensor([4, 0, 4])


def test_attributes_are_the_sum_of_a_row_each() -> None:
    weight = torch.randn(6, 5, dtype=torch.float64)
    wanted = torch.stack([weight[0] + weight[3] + weight[5], weight[1] + weight[2] + weight[4]])
    torch.testing.assert_close(looked_up(Y, weight), wanted)
    layer = LabelEmbedding(6, 5).double()
    with torch.no_grad():
        layer.weight.copy_(weight)
    torch.testing.assert_close(layer(Y), wanted)
    torch.testing.assert_close(hot(Y, 6).double() @ weight, wanted)


def test_one_attribute_is_two_classes() -> None:
    layer, y = LabelEmbedding(2, 3), torch.tensor([0, 1, 1])
    assert torch.equal(layer(y[:, None]), layer(y))
    scores = torch.randn(3, 2)
    torch.testing.assert_close(naming_loss(scores, y[:, None]), naming_loss(scores, y))


def test_classes_are_what_they_were_to_the_bit() -> None:
    torch.manual_seed(0)
    plain = nn.Embedding(5, 3)
    torch.manual_seed(0)
    ours = LabelEmbedding(5, 3)
    assert torch.equal(plain.weight, ours.weight)
    assert list(plain.state_dict()) == list(ours.state_dict())
    assert torch.equal(ours(CLASSES), plain(CLASSES))
    assert torch.equal(hot(CLASSES, 5), F.one_hot(CLASSES, 5))
    scores = torch.randn(3, 5)
    assert torch.equal(naming_loss(scores, CLASSES), F.cross_entropy(scores, CLASSES, reduction="none"))
    per = PerClass(5, 3)
    assert torch.equal(per(CLASSES), F.embedding(CLASSES, per.weight))


def test_naming_attributes_is_the_binary_cross_entropy_of_each() -> None:
    scores = torch.randn(2, 6, dtype=torch.float64, requires_grad=True)
    logits = scores.unflatten(1, (3, 2)).diff(dim=2).squeeze(2)
    wanted = F.binary_cross_entropy_with_logits(logits, Y.double(), reduction="none").sum(1)
    found = naming_loss(scores, Y)
    torch.testing.assert_close(found, wanted)
    assert torch.autograd.gradcheck(lambda s: naming_loss(s, Y), scores)
