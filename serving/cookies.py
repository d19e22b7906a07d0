"""Who a request's cookies say somebody is, for what is served outside of a page's session."""

from __future__ import annotations

import json
from collections.abc import Mapping

from streamlit.auth_util import get_cookie_with_chunks
from streamlit.web.server.server_util import get_cookie_secret
from streamlit.web.server.starlette.starlette_app_utils import decode_signed_value
from streamlit.web.server.starlette.starlette_server_config import USER_COOKIE_NAME

from optimizer.access.identity import Person, person_of
from serving.policy import Policy


def person_from_cookies(cookies: Mapping[str, str], policy: Policy) -> Person | None:
    """The person that the signed cookie of a sign-in names; ``None`` without a valid one.

    Raises:
        InputError: they may not come in, or not any more.
    """
    secret = get_cookie_secret()

    def signed(name: str) -> bytes | None:
        value = cookies.get(name)
        return (
            decode_signed_value(secret, name, value.encode("latin-1", "replace")) if value else None
        )

    try:
        claims = json.loads(get_cookie_with_chunks(signed, USER_COOKIE_NAME) or b"null")
    except ValueError:
        return None
    if not isinstance(claims, dict) or claims.get("origin") != policy.origin:
        return None
    return person_of(claims, policy.rules)
