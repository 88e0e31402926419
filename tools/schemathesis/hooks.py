"""How schemathesis acts as an administrator, and what it must know that a schema cannot say.

The account is in the environment: GTHULHU_USER and GTHULHU_PASSWORD; the manager's address is GTHULHU_URL.
"""

import itertools
import os

import requests
import schemathesis
from hypothesis import strategies as st

URL = os.environ["GTHULHU_URL"]
ACCOUNT = {"username": os.environ["GTHULHU_USER"], "password": os.environ["GTHULHU_PASSWORD"]}
OWN_PASSWORD = "/api/v1/users/self/password"
# An id that nobody has.
NOBODY = "ffffffffffffffffffffffff"


class Administrator:
    """A session that is opened anew whenever it was ended: some of what is tried ends it."""

    def __init__(self):
        self.session = requests.Session()
        self.token = None
        self.refresh_token = None
        self.uid = None

    def is_good(self):
        if self.token is None:
            return False
        headers = {"Authorization": f"Bearer {self.token}"}
        answer = self.session.get(f"{URL}/api/v1/auth/validate", headers=headers, timeout=35)
        return answer.status_code == 200

    def log_in(self):
        answer = self.session.post(f"{URL}/api/v1/auth/login", json=ACCOUNT, timeout=35)
        answer.raise_for_status()
        self.token, self.refresh_token = (answer.json()["data"][name] for name in ("token", "refreshToken"))

    def get(self, case, context):
        if not self.is_good():
            self.log_in()
            headers = {"Authorization": f"Bearer {self.token}"}
            answer = self.session.get(f"{URL}/api/v1/users/self", headers=headers, timeout=35)
            answer.raise_for_status()
            self.uid = answer.json()["data"]["id"]
        return self.token

    def somebody_else(self):
        """The newest user but this one, if there is any."""
        headers = {"Authorization": f"Bearer {self.token}"}
        answer = self.session.get(f"{URL}/api/v1/users", headers=headers, timeout=35)
        others = [user["id"] for user in answer.json()["data"]["users"] if user["id"] != self.uid] if answer.ok else []
        return others[-1] if others else NOBODY


ADMINISTRATOR = Administrator()
TURNS = itertools.count()


@schemathesis.auth(refresh_interval=None)
class Auth:
    def get(self, case, context):
        return ADMINISTRATOR.get(case, context)

    def set(self, case, data, context):
        case.headers["Authorization"] = f"Bearer {data}"


def is_whole(body, *fields):
    """Whether these fields are texts, and not empty."""
    return isinstance(body, dict) and all(isinstance(body.get(field), str) and body[field] for field in fields)


@schemathesis.hook
def before_call(context, case, kwargs):
    """Puts in what nobody guesses, and takes out what would end the run."""
    body, path = case.body, case.operation.path
    # Nobody saws off the branch that he sits on: what is done to users is not done to this one.
    if is_whole(body, "userID") and body["userID"] == ADMINISTRATOR.uid:
        body["userID"] = ADMINISTRATOR.somebody_else()
    # Every other login is a good one.
    elif path == "/api/v1/auth/login" and is_whole(body, "username", "password"):
        if next(TURNS) % 2 == 0:
            body.update(ACCOUNT)
    elif path in ("/api/v1/auth/refresh", "/api/v1/auth/logout") and is_whole(body, "refreshToken"):
        if next(TURNS) % 2 == 0 and ADMINISTRATOR.get(case, context):
            body["refreshToken"] = ADMINISTRATOR.refresh_token
    elif path == OWN_PASSWORD and is_whole(body, "oldPassword", "newPassword"):
        if next(TURNS) % 2 == 0:
            body["oldPassword"] = ACCOUNT["password"]


@schemathesis.hook
def after_call(context, case, response):
    if case.operation.path == OWN_PASSWORD and response.status_code == 200:
        ACCOUNT["password"] = case.body["newPassword"]
    # Wrong passwords in a row lock the account; a right one ends the row.
    if case.operation.path == OWN_PASSWORD and response.status_code == 401:
        ADMINISTRATOR.log_in()


def regexes():
    """Regular expressions that every dialect has."""
    atom = st.sampled_from(["a", "nginx", "[a-z]", "[^0-9]", ".", "(ab|c)", "\\d", "\\."])
    piece = st.builds(lambda atom, often: atom + often, atom, st.sampled_from(["", "*", "+", "?", "{1,3}"]))
    middle = st.lists(piece, max_size=5).map("".join)
    return st.builds(lambda start, middle, end: start + middle + end, st.sampled_from(["", "^"]), middle, st.sampled_from(["", "$"]))


schemathesis.openapi.format("regex", regexes())
