"""Pieces as arrays and back."""

from aoienet.measure import Settings, Window, cells, measure_piece, merge, window_of
from aoienet.measure.store import from_arrays, to_arrays
from tests.report.cracks import surface


def test_pieces_come_back_and_merge_to_the_same_cracks():
    grey, mask, cracks = surface()
    settings = Settings(cell_px=128)
    pieces = []
    for cell in cells(mask.shape, 128):
        x0, y0, x1, y1 = box = window_of(cell, mask.shape, settings.halo_px)
        pieces.append(measure_piece(Window(mask[y0:y1, x0:x1], grey[y0:y1, x0:x1]), box, cell, settings))
    kept = [p for p in pieces if p is not None]
    back = from_arrays(to_arrays(kept))
    assert len(back) == len(kept) > 5 and [p.cell for p in back] == [p.cell for p in kept]
    before, after = (merge(p, mask.shape, settings) for p in (kept, back))
    assert len(after) == len(cracks) == 3
    for a, b in zip(before, after, strict=True):
        assert (a.length_px, a.widths, a.box_px, a.area_px) == (b.length_px, b.widths, b.box_px, b.area_px)


def test_no_piece_is_no_array():
    assert to_arrays([]) == {} and from_arrays({}) == []
