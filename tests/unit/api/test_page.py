"""docs/api.md names every address there is, with its fields, and no other."""

import re
from pathlib import Path
from typing import Any, cast

from api.app import create_app
from api.service import Service

PAGE = Path(__file__).resolve().parents[3] / "docs" / "api.md"
OPENAPI: dict[str, Any] = create_app(cast("Service", None)).openapi()


def rows() -> dict[str, str]:
    """Address -> what stands beside it."""
    return dict(re.findall(r"^\| `(/\S+)` \| ?(.*?) ?\|$", PAGE.read_text("utf-8"), re.M))


def test_every_address_is_in_the_page_and_no_other() -> None:
    assert set(rows()) == set(OPENAPI["paths"])


def test_every_field_of_a_request_is_named() -> None:
    for address, said in rows().items():
        post = OPENAPI["paths"][address].get("post")
        if post is not None:
            fields = post["requestBody"]["content"]["application/json"]["schema"]["properties"].keys() - {"expires_in"}
            assert set(re.findall(r"`(\w+)`", said)) == fields, address
