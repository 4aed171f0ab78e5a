"""Serving the report over HTTP: the current page, and no other file of its folder."""

from pathlib import Path

import pytest
import requests

from amplitude_assets.report.server import serve_report


def test_a_page_is_served_as_it_is_at_each_request(tmp_path: Path) -> None:
    page = tmp_path / "overview.html"
    (tmp_path / "secret.txt").write_text("secret")
    with serve_report(page, "127.0.0.1", 0) as port:
        url = f"http://127.0.0.1:{port}"
        early = requests.get(url, timeout=10)
        assert early.status_code == 404
        assert "overview_report" in early.text
        for text in ("<p>one", "<p>zwölf"):
            page.write_text(text, encoding="utf-8")
            answer = requests.get(url, timeout=10)
            assert (answer.text, answer.headers["Content-Type"]) == (
                text,
                "text/html; charset=utf-8",
            )
        assert "secret" not in requests.get(f"{url}/secret.txt", timeout=10).text


def test_a_port_in_use_is_an_error(tmp_path: Path) -> None:
    with (
        serve_report(tmp_path, "127.0.0.1", 0) as port,
        pytest.raises(OSError, match="in use"),
        serve_report(tmp_path, "127.0.0.1", port),
    ):
        pass
