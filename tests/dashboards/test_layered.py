"""The layout of the map."""

from __future__ import annotations

import itertools

from dashboards.layered import BOX_HEIGHT, Drawing, draw


def drawn(names: str, edges: list[str]) -> Drawing:
    """Draw nodes named by letters and edges written ``ab``."""
    nodes = [{"id": name, "service": name} for name in names]
    return draw(nodes, [{"caller": edge[0], "callee": edge[1]} for edge in edges])


def columns(drawing: Drawing) -> dict[str, float]:
    """Give each node's x."""
    return {box.node_id: box.x for box in drawing.boxes}


def test_callers_stand_left_of_callees() -> None:
    """Each node stands right of every service that calls it."""
    x = columns(drawn("abcd", ["ab", "bc", "ac", "cd"]))

    assert x["a"] < x["b"] < x["c"] < x["d"]


def test_a_cycle_is_drawn_too() -> None:
    """Services that call each other, and one that calls itself, all have a place and their edges."""
    drawing = drawn("abc", ["ab", "bc", "ca", "bb"])

    assert len(drawing.boxes) == 3
    assert len(drawing.curves) == 4


def test_boxes_do_not_overlap_and_lie_inside() -> None:
    """Thirty services called by one stand in one column without touching."""
    names = "abcdefghijklmnopqrstuvwxyz"
    drawing = drawn(names, ["a" + name for name in names[1:]])

    places = sorted((box.x, box.y) for box in drawing.boxes)
    for (x1, y1), (x2, y2) in itertools.pairwise(places):
        assert x1 != x2 or y2 >= y1 + BOX_HEIGHT
    assert all(
        box.x + box.width <= drawing.width and box.y + box.height <= drawing.height for box in drawing.boxes
    )


def test_a_long_edge_gets_a_passage_instead_of_running_behind_a_box() -> None:
    """The edge past the middle layer has its own height there, so nobody reads it as two edges."""
    drawing = drawn("abc", ["ab", "bc", "ac"])

    middle = next(box for box in drawing.boxes if box.node_id == "b")
    long_edge = next(curve for curve in drawing.curves if curve.row == {"caller": "a", "callee": "c"})
    heights = [float(part) for part in long_edge.path.replace("M", "").replace("C", "").split()[1::2]]
    assert any(not middle.y <= height <= middle.y + BOX_HEIGHT for height in heights)


def test_the_same_graph_gives_the_same_picture() -> None:
    """The order of the answer does not move boxes between refreshes."""
    one, other = drawn("abcd", ["ab", "ac", "bd"]), drawn("dcba", ["bd", "ac", "ab"])

    assert {(box.node_id, box.x, box.y) for box in one.boxes} == {
        (box.node_id, box.x, box.y) for box in other.boxes
    }


def test_nothing_and_unknown_ends_are_no_trouble() -> None:
    """An empty map is an empty drawing; an edge to a node nobody listed is left out."""
    assert draw([], []).boxes == ()
    assert drawn("a", ["az"]).curves == ()


def test_marks_of_edges_into_one_box_stay_apart() -> None:
    """Two breakers on the same callee can be told apart and clicked."""
    drawing = drawn("abc", ["ac", "bc"])

    first, second = drawing.curves
    assert abs(first.mark_x - second.mark_x) + abs(first.mark_y - second.mark_y) > 20
