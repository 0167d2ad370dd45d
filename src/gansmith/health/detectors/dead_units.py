"""Dead units: a layer whose inputs are the same whatever the network is shown.

Test: nine tenths or more of the units that enter a layer are exactly constant over a batch of 256 and more, in two
readings in a row. Of ReLU networks some units always are. A collapse makes later layers constant, too: units that died
after what is made had lost its variety are left to `collapse`. Lu et al. 2019 (arXiv:1903.06733).
"""

from __future__ import annotations

from dataclasses import replace

from ..course import course, found, told
from ..finding import Failure, Finding
from ..history import History

FAILURE = Failure(
    "dead_units",
    "A layer is dead",
    "serious",
    "diversity",
    "All units of a layer, or nearly all, put out the same whatever comes in, mostly ReLUs that never open: nothing "
    "passes through them, and no gradient reaches what is before them.",
    "Leaky ReLUs in place of ReLUs, a smaller rate (recipe.solver.lr), fresh weights for that layer or for the run; "
    "look at how its biases are initialised. In other code: torch.nn.LeakyReLU(0.2), normalisation before the "
    "activation.",
    "Lu et al. 2019, arXiv:1903.06733; Maas et al. 2013 (leaky ReLU)",
    explains=(
        "collapse", "mode_dropping", "vanishing_gradient", "overpowering_d", "weak_d", "condition_ignored",
        "rotation", "plateau",
    ),
)  # fmt: skip
NEARLY_ALL, ALL = 0.9, 0.99
POLLS = 2
NARROW = 0.5  # of diversity: what is made has lost its variety


def detect(history: History) -> Finding | None:
    """The layer of which the most is dead."""
    worst: tuple[float, str, int] | None = None
    for name in history.names("dead/"):
        seen = course(history, name)
        begun = seen.streak(seen[name] >= NEARLY_ALL, POLLS)
        if begun is None or _after_collapse(history, begun):
            continue
        worst = max(worst or (0.0, "", 0), (float(seen[name][-1]), name, begun))
    if worst is None:
        return None
    share, name, begun = worst
    failure = FAILURE if share >= ALL else replace(FAILURE, severity="warning", explains=())
    layer = name.removeprefix("dead/")
    text = told(name, share, "of the units that enter it are constant", f"{layer}: a share of")
    return found(failure, history, begun, text, suspects=[layer])


def _after_collapse(history: History, begun: int) -> bool:
    """Whether the variety was gone by then; never of units that were dead at the first reading."""
    seen = course(history, "diversity")
    early = seen.where(seen.samples <= begun)
    first = begun <= history.readings[0].samples
    return bool(not first and len(early) and early["diversity"][-1] < NARROW)
