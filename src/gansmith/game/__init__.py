"""How both players play, whatever networks they have: losses, penalties, augmentation, regularisers, optimizers.

A recipe of pictures is a `Played`: it holds a `Game` and a `Solver` as fields and lends them its networks, so that each
part can be changed alone: `recipe.game.loss=hinge recipe.game.r1=10 recipe.game.augment.kind=ada`.
"""

from .duel import Duel
from .game import Game, Judged, Players
from .played import Played
from .solver import Solver
from .views import Augment

__all__ = ["Augment", "Duel", "Game", "Judged", "Played", "Players", "Solver"]
