"""Changes of a recipe to the network of the zoo."""

from aoienet.models.blocks.hourglass import Hourglass
from aoienet.models.blocks.unit import Unit
from aoienet.nn.cell import Cell
from aoienet.train.networks import block_with


def test_changes_reach_units_with_a_cell_of_their_own_inside_of_an_hourglass():
    own, plain = Unit(16, join="none", cell=Cell()), Unit(32, stride=2)
    inner = Hourglass((plain, own))
    for block in (own, inner, Hourglass((plain, inner, own))):
        changed = block_with(block, None, {"act": "prelu"})
        while isinstance(changed, Hourglass):
            assert changed.blocks[0] == plain  # the network's cell, which is changed as a whole
            changed = changed.blocks[1]
        assert changed.cell.act == "prelu"
