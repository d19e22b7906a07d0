"""One HTML file: whole, small enough, and closed to whatever a name may hold."""

import base64
import hashlib
import json
import re
from html.parser import HTMLParser

import pytest

from optimizer.report.content import Choices, compose
from optimizer.report.markup import data_script, tag
from optimizer.report.page import MAX_BYTES, render
from tests.report.conftest import HOSTILE, made_of
from tests.variants import baseline, results, variant


class Parsed(HTMLParser):
    """Elements, scripts and texts of a page."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.scripts, self.ids, self.addresses = [], [], [], []
        self._script = None
        self.policy = ""
        self.feed(text)

    def handle_starttag(self, name, attributes):
        found = dict(attributes)
        self.tags.append(name)
        self.ids += [found["id"]] if "id" in found else []
        self.addresses += [found[key] for key in ("src", "href") if key in found]
        if found.get("http-equiv") == "Content-Security-Policy":
            self.policy = found["content"]
        if name == "script":
            self._script = found.get("type", "")
            self.scripts.append((self._script, ""))

    def handle_data(self, data):
        if self._script is not None:
            kind, before = self.scripts[-1]
            self.scripts[-1] = kind, before + data

    def handle_endtag(self, name):
        if name == "script":
            self._script = None


@pytest.fixture(scope="module")
def page(sample):
    return render(compose(sample, Choices(audience="the product team", date="2026-11-25")))


@pytest.fixture(scope="module")
def parsed(page):
    return Parsed(page)


def test_it_can_be_mailed(page):
    assert len(page.encode()) < MAX_BYTES
    assert page.count("window.Plotly = Plotly") == 1


def test_it_points_at_nothing_outside_itself(parsed):
    assert all(address.startswith("#") for address in parsed.addresses)
    assert {address[1:] for address in parsed.addresses} <= set(parsed.ids)
    assert not {"iframe", "img", "link", "object", "form"} & set(parsed.tags)


def test_only_its_own_scripts_may_run(parsed):
    assert "default-src 'none'" in parsed.policy
    code = [text for kind, text in parsed.scripts if kind == ""]
    assert len(code) == 2
    for text in code:
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in parsed.policy
    assert "unsafe-inline" not in parsed.policy.split("script-src")[1].split(";")[0]


def test_every_section_is_there_once(parsed):
    wanted = {"answer", "tradeoffs", "beside", "done", "estimates", "how", "limits", "terms"}
    assert wanted <= set(parsed.ids)
    assert len(parsed.ids) == len(set(parsed.ids))


def test_the_charts_are_data_with_every_variant(parsed):
    figures = [json.loads(text) for kind, text in parsed.scripts if kind == "application/json"]
    drawn = [figure for figure in figures if "data" in figure]
    assert len(drawn) == 3
    for figure in drawn:
        ids = [one for trace in figure["data"] for one in trace.get("customdata", ())]
        assert len(ids) == 16
        assert any(trace.get("name") == "Our choice" for trace in figure["data"])


def test_hostile_names_stay_text(hostile):
    choices = Choices(title=HOSTILE, question=HOSTILE, audience=HOSTILE, choice="other")
    text = render(compose(hostile, choices))
    found = Parsed(text)
    assert "<img" not in re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL)
    assert "img" not in found.tags
    assert [kind for kind, _ in found.scripts].count("") == 2
    assert not any("window.hacked" in code for kind, code in found.scripts if kind == "")
    data = next(json.loads(code) for kind, code in found.scripts if "choice" in code[:20])
    assert HOSTILE in data["variants"][1]["name"]


def test_only_terms_that_occur_are_explained():
    source = made_of(baseline(), variant("v", found=results()))
    text = render(compose(source, Choices(choice="v")))
    terms = text[text.index('id="terms"') :]
    assert "Quantization, int8, float16" in terms
    assert "Clustering" not in terms


def test_without_a_measured_quality_it_has_tables_and_no_charts():
    base = baseline(value=None, agreement=1.0)
    text = render(compose(made_of(base, variant("v", found=results(value=None)))))
    assert "There are no charts" in text
    assert "window.Plotly = Plotly" not in text


def test_markup_escapes_texts_and_attributes():
    made = tag("p", "<b>", tag("b", "&"), class_='"x"', hidden=True, data_x="'")
    assert made == '<p class="&quot;x&quot;" hidden data-x="&#x27;">&lt;b&gt;<b>&amp;</b></p>'
    assert "</script>" not in data_script("x", {"a": HOSTILE})[:-9]
