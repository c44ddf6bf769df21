"""Small classifiers trained only on real renders, and the area under a detector's ROC curve. All of it [main]."""

from collections.abc import Sequence

import numpy as np
import torch
from torch.nn import functional as F

from engine.train.metrics import Array

STEPS = 60


class Linear:
    """A linear classifier of features [n, F] with labels; features are scaled by what it learns from."""

    def __init__(self, features: Array, labels: Sequence[str], decay: float = 1.0) -> None:
        self.mean, self.std = features.mean(0), features.std(0) + 1e-6
        self.names = sorted(set(labels))
        targets = torch.tensor([self.names.index(label) for label in labels])
        x = torch.from_numpy((features - self.mean) / self.std).float()
        torch.manual_seed(0)
        self.linear = torch.nn.Linear(x.shape[1], len(self.names))
        optimiser = torch.optim.LBFGS(self.linear.parameters(), max_iter=STEPS, line_search_fn="strong_wolfe")

        def loss() -> float:
            optimiser.zero_grad()
            total = F.cross_entropy(self.linear(x), targets) + decay * self.linear.weight.square().mean()
            total.backward()
            return float(total.detach())

        optimiser.step(loss)

    def log_probabilities(self, features: Array) -> Array:
        """[n, classes] in the order of `names`."""
        with torch.no_grad():
            x = torch.from_numpy((features - self.mean) / self.std).float()
            return np.asarray(torch.log_softmax(self.linear(x), dim=1).numpy())

    def named(self, features: Array) -> list[str]:
        """The likeliest class of each."""
        return [self.names[index] for index in self.log_probabilities(features).argmax(axis=1)]


def area_under_curve(positive: Sequence[float], negative: Sequence[float]) -> float:
    """How often a positive scores above a negative, ties half: 0.5 is chance, 1 tells all apart."""
    a, b = np.asarray(positive)[:, None], np.asarray(negative)[None, :]
    return float(np.mean((a > b) + 0.5 * (a == b)))
