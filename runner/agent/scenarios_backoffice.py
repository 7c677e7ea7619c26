"""Scenarios of finance and platform agents; see :mod:`runner.agent.script`."""

from __future__ import annotations

from runner.agent.script import Ask, Case, Reply, ask, stuck


def invoice_matching(case: Case) -> Reply:
    """fetch_invoice → match_po → schedule_payment."""
    invoice, order, payment = (case.got(tool) for tool in ("fetch_invoice", "match_po", "schedule_payment"))
    if invoice is None:
        invoice_id = case.ref("INV", "INV-2041")
        return ask(f"I fetch {invoice_id}.", "fetch_invoice", invoice_id=invoice_id)
    if not invoice.is_good:
        return stuck(invoice, "fetching the invoice")
    if order is None:
        return ask(
            f"{invoice['supplier']} charges {invoice['total_usd']} USD. I compare it with the order.",
            "match_po",
            invoice_id=invoice["invoice_id"],
            po_number=invoice["po_number"],
        )
    if not order.is_good:
        return stuck(order, "matching the order")
    if order["is_match"] is not True:
        return Reply(
            text=f"{invoice['invoice_id']} differs from {order['po_number']} by "
            f"{order['difference_usd']} USD. I scheduled nothing; purchasing has to clear it."
        )
    if payment is None:
        return ask(
            "Quantity and price agree. I schedule the payment for the due date.",
            "schedule_payment",
            invoice_id=invoice["invoice_id"],
            amount_usd=invoice["total_usd"],
            pay_on=invoice["due_on"],
        )
    if not payment.is_good:
        return stuck(payment, "scheduling the payment")
    return Reply(
        text=f"{payment['invoice_id']} matches its order; {payment['amount_usd']} USD go out on "
        f"{payment['pay_on']} ({payment['payment_id']})."
    )


def expense_check(case: Case) -> Reply:
    """fetch_expense → check_policy per line → flag_expense when a line is over."""
    report = case.got("fetch_expense")
    if report is None:
        report_id = case.ref("EXP", "EXP-310")
        return ask(f"I open {report_id}.", "fetch_expense", report_id=report_id)
    if not report.is_good:
        return stuck(report, "opening the expense report")
    lines = report.rows("lines")
    checks = [one for one in case.returns if one.tool == "check_policy"]
    if not checks and lines:
        calls = tuple(
            Ask(
                tool="check_policy",
                arguments={"category": line["category"], "amount_usd": line["amount_usd"]},
            )
            for line in lines
        )
        return Reply(text=f"{len(lines)} lines to check.", calls=calls)
    over = [check for check in checks if check.is_good and check["is_within"] is False]
    flagged = case.got("flag_expense")
    if over and flagged is None:
        names = ", ".join(f"{check['category']} (limit {check['limit_usd']} USD)" for check in over)
        return ask(
            f"Over the limit: {names}.",
            "flag_expense",
            report_id=report["report_id"],
            finding=f"Over policy: {names}",
        )
    verdict = "flagged for the manager" if over else "within policy"
    return Reply(
        text=f"{report['report_id']} of {report['employee']}: {len(lines)} lines checked, {verdict}."
    )


def dunning(case: Case) -> Reply:
    """open_items → send_reminder."""
    items, sent = case.got("open_items"), case.got("send_reminder")
    if items is None:
        return ask("I list what is open.", "open_items", customer=case.quoted("Harbor Foods"))
    if not items.is_good:
        return stuck(items, "listing the open items")
    if sent is None:
        level = 2 if isinstance(items["oldest_days"], int) and items["oldest_days"] > 45 else 1
        return ask(
            f"{items['open_usd']} USD are open, the oldest for {items['oldest_days']} days.",
            "send_reminder",
            customer=items["customer"],
            level=level,
        )
    if not sent.is_good:
        return stuck(sent, "the reminder")
    return Reply(
        text=f"Reminder of level {sent['level']} went to {sent['customer']} ({sent['reminder_id']})."
    )


def contract_summary(case: Case) -> Reply:
    """read_contract → note_risk."""
    contract, noted = case.got("read_contract"), case.got("note_risk")
    if contract is None:
        contract_id = case.ref("C", "C-88")
        return ask(f"I read {contract_id}.", "read_contract", contract_id=contract_id)
    if not contract.is_good:
        return stuck(contract, "reading the contract")
    if noted is None:
        return ask(
            f"Clause {contract['odd_clause']} is unusual.",
            "note_risk",
            contract_id=contract["contract_id"],
            clause=contract["odd_clause"],
            risk=contract["odd_text"],
        )
    return Reply(
        text=f"{contract['contract_id']} with {contract['party']}: {contract['term_months']} months, "
        f"{contract['yearly_usd']} USD a year, notice {contract['notice_days']} days. "
        f"Look at clause {contract['odd_clause']}: {contract['odd_text']}"
    )


def report(case: Case) -> Reply:
    """query_metrics twice at once → write_report."""
    found = [one for one in case.returns if one.tool == "query_metrics"]
    period = case.word(("week", "month", "quarter"))
    if not found:
        calls = tuple(
            Ask(tool="query_metrics", arguments={"metric": metric, "period": period})
            for metric in ("runs", "cost")
        )
        return Reply(text=f"I query the numbers of the last {period}.", calls=calls)
    if not all(one.is_good for one in found):
        return stuck(next(one for one in found if not one.is_good), "the query")
    written = case.got("write_report")
    lines = "; ".join(f"{one['metric']} {one['value']} {one['unit']} ({one['change']})" for one in found)
    if written is None:
        return ask("I write it up.", "write_report", title=f"Fleet report, {period}", body=lines)
    return Reply(text=f"Report {written['report_id']} is written. {lines}.")


def infra(case: Case) -> Reply:
    """read_logs → restart_service when the log says so."""
    service = case.quoted("checkout-api")
    log, restarted = case.got("read_logs"), case.got("restart_service")
    if log is None:
        return ask(f"I read the log of {service}.", "read_logs", service=service, minutes=30)
    if not log.is_good:
        return stuck(log, "reading the log")
    if log["is_stuck"] is not True:
        return Reply(text=f"{service} has {log['errors']} errors in 30 minutes, all handled. Nothing to do.")
    if restarted is None:
        return ask(
            f"{log['errors']} times: {log['top_error']}. A restart frees the connections.",
            "restart_service",
            service=service,
            reason=str(log["top_error"]),
        )
    if not restarted.is_good:
        return stuck(restarted, f"the restart of {service}")
    return Reply(text=f"{service} was restarted at {restarted['restarted_at']} and is {restarted['health']}.")


def access_review(case: Case) -> Reply:
    """list_access → revoke_access for a person who left."""
    system = case.quoted("data-warehouse")
    access, revoked = case.got("list_access"), case.got("revoke_access")
    if access is None:
        return ask(f"I list who has access to {system}.", "list_access", system=system)
    if not access.is_good:
        return stuck(access, "listing access")
    left = [row for row in access.rows("people") if row["has_left"]]
    if revoked is None and left:
        return ask(
            f"{left[0]['person']} left on {left[0]['left_on']} and still has access.",
            "revoke_access",
            person=left[0]["person"],
            system=system,
        )
    if revoked is not None and not revoked.is_good:
        return stuck(revoked, "revoking access")
    count = len(access.rows("people"))
    return Reply(text=f"Reviewed {count} accounts of {system}; revoked {len(left)}.")
