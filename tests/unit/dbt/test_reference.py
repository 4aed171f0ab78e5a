"""The page of the model reference has print styles, so that it prints completely."""

from pathlib import Path

from amplitude_assets.dbt.reference import make_printable


def test_the_page_gets_print_styles(tmp_path: Path) -> None:
    page = tmp_path / "static_index.html"
    page.write_text("<html><head><title>dbt</title></head><body>models</body></html>")
    make_printable(page)
    head, _, body = page.read_text().partition("</head>")
    assert "@media print" in head
    assert "overflow: visible" in head
    assert body == "<body>models</body></html>"
    assert list(tmp_path.iterdir()) == [page]
