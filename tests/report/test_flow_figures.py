"""The drawing of where the images of a run went."""

from __future__ import annotations

from drifa.report.flow_figures import LETTERS, LINE, Part, data_flow, flow_rows

STUDY = Part("all of the study", 12, 7, {"photo": 12, "mri": 9})
PARTS = [Part("training", 8, 5, {"photo": 8, "mri": 6}), Part("test", 4, 2, {"photo": 4, "mri": 3})]


def test_who_cannot_see_it_hears_every_count() -> None:
    drawing = str(data_flow(STUDY, PARTS, 0))
    for words in ("training, 8 subjects · 5 groups", "test, 4 subjects · 2 groups", "mri\u00a03", "0 groups on two sides"):
        assert words in drawing
    assert "warned" not in drawing


def test_a_group_on_two_sides_is_a_warning_and_a_count_that_nobody_made_is_none() -> None:
    assert 'class="warned"' in data_flow(STUDY, PARTS, 3)
    assert "3 groups on two sides" in data_flow(STUDY, PARTS, 3)
    assert "were not counted" in data_flow(STUDY, PARTS, None)
    assert "groups on two sides" not in data_flow(STUDY, PARTS, None)


def test_names_of_the_study_are_text() -> None:
    assert "<b>" not in data_flow(STUDY, [Part("<b>", 1, 1, {"<b>": 1})], 0)


def test_many_modalities_make_the_drawing_higher_and_no_wider() -> None:
    many = Part("training", 8, 5, {f"modality-{n}": 1000 + n for n in range(9)})
    few, more = (str(data_flow(STUDY, [step], 0)) for step in (PARTS[0], many))
    sizes = [[float(n) for n in drawing.split('viewBox="', 1)[1].split('"')[0].split()] for drawing in (few, more)]
    assert sizes[0][2] == sizes[1][2]
    assert sizes[1][3] >= sizes[0][3] + LINE
    assert all(len(line) <= LETTERS for line in more.replace("<", ">").split(">") if line.startswith("images:"))


def test_the_numbers_have_a_row_for_each_box_and_leave_what_is_not_known_empty() -> None:
    rows = flow_rows(STUDY, [*PARTS, Part("left out of every split", 1, None, {})])
    assert [row["part"] for row in rows] == ["all of the study", "training", "test", "left out of every split"]
    assert rows[1]["images of mri"] == 6
    assert rows[-1] == {
        "part": "left out of every split",
        "subjects": 1,
        "groups": "",
        "images of photo": "",
        "images of mri": "",
    }
