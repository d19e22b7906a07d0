"""From the claims of an ID token to a person, or a refusal in words."""

import pytest

from optimizer.access.identity import Rules, owner_of, person_of
from optimizer.errors import InputError

NOW = 1_800_000_000.0
ADA = {
    "iss": "https://id.example.org",
    "sub": "42",
    "iat": NOW - 60,
    "name": "Ada",
    "email": "Ada@Example.org",
    "email_verified": True,
}


def test_issuer_and_subject_make_the_owner():
    person = person_of(ADA, Rules(), NOW)
    assert person.owner == owner_of("https://id.example.org", "42")
    assert person.owner == person_of(ADA | {"name": "B", "email": "b@c.d"}, Rules(), NOW).owner
    others = [ADA | {"sub": "43"}, ADA | {"iss": "https://id.example.com"}]
    assert len({person.owner, *(person_of(claims, Rules(), NOW).owner for claims in others)}) == 3
    assert owner_of("a", "bc") != owner_of("ab", "c")
    assert (person.name, person.email, person.administrator) == ("Ada", "ada@example.org", False)


@pytest.mark.parametrize(
    ("claims", "rules", "said"),
    [
        ({"iss": None}, {}, "no issuer or subject"),
        ({"sub": ""}, {}, "no issuer or subject"),
        ({"sub": 42}, {}, "no issuer or subject"),
        ({"iat": NOW - 13 * 3600}, {}, "more than 12 hours ago"),
        ({"iat": NOW - 3700}, {"hours": 1}, "more than 1 hours ago"),
        ({}, {"allowed_domains": ["example.com"]}, "may not use this workbench"),
        ({}, {"allowed_domains": ["ample.org"]}, "may not use this workbench"),
        ({"email": "x@example.org@evil.net"}, {"allowed_domains": ["example.org"]}, "may not use"),
        ({"email": ""}, {"allowed_emails": ["ada@example.org"]}, "gave none"),
        ({"email_verified": False}, {"allowed_domains": ["example.org"]}, "not verified"),
        ({"email_verified": "true"}, {"allowed_domains": ["example.org"]}, "not verified"),
    ],
)
def test_who_may_not_come_in_is_told_why(claims, rules, said):
    with pytest.raises(InputError, match=said):
        person_of(ADA | claims, Rules.parse(rules), NOW)


@pytest.mark.parametrize(
    "rules",
    [
        {},
        {"allowed_domains": ["EXAMPLE.org"]},
        {"allowed_domains": ["@example.org"]},
        {"allowed_emails": [" ada@example.org "]},
        {"allowed_emails": ["x@y.z"], "allowed_domains": ["example.org"]},
    ],
)
def test_who_is_listed_comes_in(rules):
    assert person_of(ADA, Rules.parse(rules), NOW).name == "Ada"


def test_an_unverified_address_administers_nothing():
    rules = Rules.parse({"administrators": ["ada@example.org"]})
    assert person_of(ADA, rules, NOW).administrator
    assert not person_of(ADA | {"email_verified": False}, rules, NOW).administrator
    assert not person_of(ADA | {"email": "bob@example.org"}, rules, NOW).administrator


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"allowed_email": ["a@b.c"]}, "allowed_email, which is not known"),
        ({"allowed_emails": "a@b.c"}, "is a list of texts"),
        ({"allowed_domains": 5}, "is a list of texts"),
        ({"administrators": [5]}, "is a list of texts"),
        ({"require_verified_email": "no"}, "true or false"),
        ({"hours": 0}, "a number up to 720"),
        ({"hours": "12"}, "a number up to 720"),
    ],
)
def test_a_rule_that_is_none_is_refused_by_name(section, said):
    with pytest.raises(InputError, match=said):
        Rules.parse(section)
