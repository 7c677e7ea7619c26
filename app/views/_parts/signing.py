"""The evidence pack of a month, the signatures under it, and the history of signed months."""

from __future__ import annotations

import polars as pl
import streamlit as st

from app.labels import md_escape, moment
from app.live import compliance
from app.live.compliance import Month
from app.views._parts import acting
from app.views._parts.page import Page, empty
from app.views._parts.tables import Column, show

_SAID = "compliance_said"
_REFUSED = ":material/block:"


def said() -> None:
    """Say what the last click wrote, once, after the rerun that follows it."""
    acting.said(_SAID)


def pack_and_sign(page: Page, month: Month) -> None:
    """What there is to sign, and the two buttons for who may."""
    st.subheader("Evidence pack and signature", anchor=False)
    with st.container(border=True):
        _pack(page, month)
        for one in month.signatures:
            st.markdown(
                f":material/draw: **{md_escape(page.name_of(one.person_id))}** signed "
                f"{moment(one.signed_at, page.zone)}: {md_escape(one.statement)}"
            )
        if month.signatures and not month.is_signed:
            st.caption("A second person has to sign it, too.")
        if month.cannot_sign:
            st.caption(f"You cannot make or sign it: {md_escape(month.cannot_sign)}.")
            return
        _buttons(page, month)


def _pack(page: Page, month: Month) -> None:
    if month.pack_problem:
        st.error(md_escape(month.pack_problem), icon=":material/block:")
    elif month.pack is None:
        st.markdown(":gray[There is no pack of this month yet. It is made from the answer above.]")
    else:
        st.markdown(f"**{month.pack.file_count} files**, each as its manifest names it.")
        if page.scope.team_ids is None:
            st.code(f"{month.pack.place}\nmanifest {month.pack.content_sha256}", language=None)
            st.download_button(
                "Report (PDF)",
                compliance.report_file(month.pack).read_bytes(),
                file_name=f"monthly-check-{month.month:%Y-%m}.pdf",
                mime="application/pdf",
                icon=":material/picture_as_pdf:",
                on_click="ignore",
            )


def _buttons(page: Page, month: Month) -> None:
    name = f"{month.month:%Y-%m}"
    label = "Make the evidence pack" if month.pack is None else "Make the evidence pack again"
    if st.button(label, icon=":material/folder_zip:", key=f"pack_{name}"):
        acting.act(_SAID, lambda: _make(page, month), icon=_REFUSED)
    mine = page.person.person_id in {one.person_id for one in month.signatures}
    if month.pack is None or month.is_signed or mine:
        return
    with st.form(f"sign_{name}", border=False):
        statement = st.text_input(
            "What you state", max_chars=500, placeholder="I have read the report; what is open is in cases."
        )
        if st.form_submit_button(f"Sign {name}", type="primary", icon=":material/draw:"):
            acting.act(_SAID, lambda: _sign(page, month, statement), icon=_REFUSED)


def _make(page: Page, month: Month) -> str:
    pack = compliance.make_pack(page.desk, page.person.person_id, month.month)
    return (
        f"The pack of {month.month:%Y-%m} is made: {pack.file_count} files, "
        f"manifest {pack.content_sha256[:16]}…"
    )


def _sign(page: Page, month: Month, statement: str) -> str:
    done = compliance.sign(page.desk, page.person.person_id, month.month, statement)
    return (
        f"Signed {done.check_month}: the event report_signed says so in the log, over manifest "
        f"{done.content_sha256[:16]}…"
    )


def history(page: Page) -> None:
    """Signed months, newest first."""
    st.subheader("Signed months", anchor=False)
    lines = compliance.history(page.desk)
    if not lines:
        empty("No month is signed yet. Who may sign_report does it here or on the command line.")
        return
    rows = pl.DataFrame(
        {
            "month": [one.month for one in lines],
            "state": ["signed" if one.is_complete else "waits for a second person" for one in lines],
            "people": [", ".join(page.name_of(person) for person in one.person_ids) for one in lines],
            "signed_at": [one.signed_at for one in lines],
            "statement": [one.statement for one in lines],
            "manifest": [one.content_sha256 for one in lines],
        }
    )
    columns = [
        Column(name="month", heading="Month", width=90),
        Column(name="state", heading="State", width=170),
        Column(name="people", heading="Signed by", width=200),
        Column(name="signed_at", heading="When", kind="time", width=160),
        Column(name="statement", heading="Statement", width=360),
        Column(name="manifest", heading="SHA-256 of the manifest", width=260),
    ]
    show(rows, columns, key="signed_months", zone=page.zone, missing="", alt="Signed months")
