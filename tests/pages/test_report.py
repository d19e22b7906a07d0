"""The Report page, and what a link for reading shows."""

import io

import pytest
from streamlit.testing.v1 import AppTest

from optimizer.store.archive import import_study
from optimizer.store.records import StudyReport
from tests.pages.conftest import ROOT, check

HOSTILE = "</script><script>x</script> **bold** [a](javascript:1)"


def texts(app):
    parts = (app.markdown, app.caption, app.title, app.success, app.error, app.info, app.header)
    return "\n".join(item.value for kind in parts for item in kind)


def visit(monkeypatch, token):
    """What a visitor of a server for visitors sees."""
    monkeypatch.setenv("FEATHERWEIGHT_SHARED_ONLY", "1")
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    app.query_params["token"] = token
    app.run()
    app.switch_page("pages/start/shared.py").run()
    return check(app)


def test_it_answers_with_the_suggested_variant(workbench):
    app = workbench.open("study/report")
    said = texts(app)
    assert "Use the variant “prune 80% · cluster 8 · int8 QAT”" in said
    assert "95 % interval 97.12 % to 99.39 %" in said
    assert workbench.store.get_report(workbench.study.id) == StudyReport(workbench.study.id)


def test_compares_choice_is_taken_over_and_can_be_changed(workbench):
    store, study = workbench.store, workbench.study
    variants = {variant.name: variant for variant in store.list_variants(study.id)}
    app = workbench.open("study/report", study=study.id, variant=variants["int8"].id)
    assert "“int8”" in texts(app)
    app.selectbox(key="report_choice").set_value(variants["float16"].recipe.hash).run()
    assert "“float16”" in texts(check(app))
    assert store.get_report(study.id).choice == variants["float16"].recipe.hash
    later = workbench.open("study/report", study=study.id, variant=variants["int8"].id)
    assert "“float16”" in texts(later)


def test_texts_are_kept_and_stay_texts(workbench):
    app = workbench.open("study/report")
    app.text_input(key="report_title").set_value(HOSTILE).run()
    app.text_area(key="report_question").set_value("Which one?").run()
    said = texts(check(app))
    assert r"\*\*bold\*\*" in said
    assert "Which one?" in said
    kept = workbench.store.get_report(workbench.study.id)
    assert (kept.title, kept.question) == (HOSTILE, "Which one?")


def test_a_link_is_made_shown_and_revoked(workbench, monkeypatch):
    store, study = workbench.store, workbench.study
    app = workbench.open("study/report")
    next(button for button in app.button if button.label == "Make a link").click().run()
    [share] = store.list_shares(study.id)
    assert any(f"/shared?token={share.token}" in code.value for code in check(app).code)
    visitor = visit(monkeypatch, share.token)
    assert "nothing here can be changed" in texts(visitor)
    assert "95 % interval" in texts(visitor)
    assert not visitor.sidebar.children
    assert [kind for kind in ("button", "text_input", "selectbox") if visitor.get(kind)] == []
    monkeypatch.delenv("FEATHERWEIGHT_SHARED_ONLY")
    next(button for button in app.button if button.label == "Revoke").click().run()
    assert store.list_shares(study.id) == []
    assert "This link opens no study" in texts(visit(monkeypatch, share.token))


def test_a_visitor_moves_the_budget(workbench, monkeypatch):
    share = workbench.store.share_study(workbench.study.id)
    visitor = visit(monkeypatch, share.token)

    def recommended():
        return next(item.value for item in visitor.markdown if item.value.startswith("Within"))

    before = recommended()
    slider = visitor.select_slider(key="report_budget")
    slider.set_value(0.0).run()
    check(visitor)
    assert recommended() != before


def test_a_visitors_store_refuses_every_change(workbench):
    def page():
        import streamlit as st

        from optimizer.errors import InputError
        from pages.parts import context

        st.session_state["visiting"] = True
        study = context.store().list_studies()[0]
        try:
            context.store().delete_study(study.id)
        except InputError as error:
            st.error(str(error))

    app = AppTest.from_function(page, default_timeout=60)
    app.query_params["token"] = workbench.store.share_study(workbench.study.id).token
    app.run()
    assert "changes nothing" in app.error[0].value
    assert len(workbench.store.list_studies()) == 1


def test_a_server_for_visitors_has_no_other_page(workbench, monkeypatch):
    monkeypatch.setenv("FEATHERWEIGHT_SHARED_ONLY", "1")
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60).run()
    assert "Open the whole link" in texts(check(app))
    with pytest.raises(ValueError, match=r"Known pages: .'Shared studies', '[^',]*/shared.py'."):
        app.switch_page("pages/study/compare.py")


def test_the_archive_brings_the_report_along(workbench):
    store, study = workbench.store, workbench.study
    store.put_report(StudyReport(study.id, title="Which one?"))
    from optimizer.store.archive import export_study

    archive = io.BytesIO()
    export_study(store, study.id, archive)
    imported = import_study(store, archive)
    app = workbench.open("study/report", study=imported.id)
    assert "Which one?" in texts(app)


def test_without_results_it_says_what_to_do(empty):
    assert any("no study yet" in item.value for item in empty.open("study/report").info)
