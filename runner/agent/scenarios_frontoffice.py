"""Scenarios of support, sales and marketing agents: they read ids, amounts and quoted names out of the task.

They call the tools of a real agent of their kind, and react to errors and refusals.
"""

from __future__ import annotations

from runner.agent.script import Ask, Case, Reply, ask, listed, stuck


def refund(case: Case) -> Reply:
    """lookup_order → refund_payment."""
    order = case.got("lookup_order")
    if order is None:
        order_id = case.ref("W", "W-2211")
        return ask(f"I check order {order_id} first.", "lookup_order", order_id=order_id)
    if not order.is_good:
        return stuck(order, "looking up the order")
    paid = case.got("refund_payment")
    if paid is None:
        if order["is_refundable"] is not True:
            return Reply(
                text=f"Order {order['order_id']} was delivered on {order['delivered_on']}, more than "
                "30 days ago. Our terms do not allow a refund, so I refunded nothing."
            )
        amount = case.amount("USD") or str(order["total_usd"])
        return ask(
            f"Order {order['order_id']} of {order['customer']} is within 30 days. I refund {amount} USD "
            f"to the {order['paid_by']}.",
            "refund_payment",
            order_id=order["order_id"],
            amount_usd=amount,
            reason="customer request",
        )
    if not paid.is_good:
        return stuck(paid, "the refund")
    return Reply(
        text=f"Refunded {paid['amount_usd']} USD for order {paid['order_id']} ({paid['refund_id']}). "
        "The customer sees it in two to five days."
    )


def triage(case: Case) -> Reply:
    """search_tickets → three classify_ticket at once."""
    found = case.got("search_tickets")
    if found is None:
        return ask("I look for open tickets on this.", "search_tickets", query=case.task[:80], limit=3)
    if not found.is_good:
        return stuck(found, "the ticket search")
    tickets = found.rows("tickets")
    if case.got("classify_ticket") is None and tickets:
        calls = tuple(
            Ask(
                tool="classify_ticket",
                arguments={
                    "ticket_id": ticket["ticket_id"],
                    "category": ticket["topic"],
                    "priority": "high" if ticket["waiting_days"] in (3, 4, 5) else "normal",
                },
            )
            for ticket in tickets
        )
        return Reply(text=f"{len(tickets)} tickets are open; I sort them.", calls=calls)
    names = ", ".join(str(ticket["ticket_id"]) for ticket in tickets)
    return Reply(
        text=f"Sorted {len(tickets)} tickets: {names}. Those that wait three days or more come first."
    )


def faq(case: Case) -> Reply:
    """search_help_center → reply_to_ticket."""
    found = case.got("search_help_center")
    if found is None:
        return ask("I look this up in the help center.", "search_help_center", question=case.task[:120])
    articles = found.rows("articles")
    if not found.is_good or not articles:
        return stuck(found, "the help center search")
    answered = case.got("reply_to_ticket")
    if answered is None:
        best = articles[0]
        return ask(
            f"Article {best['article_id']} answers it.",
            "reply_to_ticket",
            ticket_id=case.ref("T", "T-1042"),
            text=f'{best["excerpt"]} More in our article "{best["title"]}".',
        )
    if not answered.is_good:
        return stuck(answered, "the reply")
    return Reply(text=f"Answered ticket {answered['ticket_id']} with article {articles[0]['article_id']}.")


def escalation(case: Case) -> Reply:
    """search_tickets → escalate_ticket."""
    found = case.got("search_tickets")
    if found is None:
        return ask("I find the ticket.", "search_tickets", query=case.task[:80], limit=1)
    tickets = found.rows("tickets")
    if not found.is_good or not tickets:
        return stuck(found, "the ticket search")
    moved = case.got("escalate_ticket")
    if moved is None:
        team = case.word(("platform", "finance", "sales"))
        return ask(
            f"Ticket {tickets[0]['ticket_id']} needs {team}.",
            "escalate_ticket",
            ticket_id=tickets[0]["ticket_id"],
            team=team,
            reason=f"{tickets[0]['subject']}, waiting {tickets[0]['waiting_days']} days",
        )
    if not moved.is_good:
        return stuck(moved, "the escalation")
    return Reply(
        text=f"Ticket {moved['ticket_id']} is with {moved['team']}; they answer by {moved['answer_by']}."
    )


def lead_research(case: Case) -> Reply:
    """web_search and crm_lookup at once → crm_update."""
    company = case.quoted("Acme Robotics")
    web, known = case.got("web_search"), case.got("crm_lookup")
    if web is None or known is None:
        return Reply(
            text=f"I read what is public about {company} and what we know already.",
            calls=(
                Ask(tool="web_search", arguments={"query": f"{company} company size news"}),
                Ask(tool="crm_lookup", arguments={"company": company}),
            ),
        )
    if not web.is_good:
        return stuck(web, "the web search")
    noted = case.got("crm_update")
    results = web.rows("results")
    if noted is None:
        first = results[0]["summary"] if results else "nothing recent found"
        return ask(
            f"{company} is worth a call.",
            "crm_update",
            company=company,
            stage="qualified",
            note=f"{first} Contact so far: {known['contact'] or 'none'}.",
        )
    if not noted.is_good:
        return stuck(noted, "the CRM update")
    return Reply(text=f"{company} is now {noted['stage']} with a note from {len(results)} sources.")


def quote(case: Case) -> Reply:
    """crm_lookup → price_quote → send_quote."""
    company = case.quoted("Acme Robotics")
    known, price, sent = (case.got(tool) for tool in ("crm_lookup", "price_quote", "send_quote"))
    if known is None:
        return ask(f"I look up {company}.", "crm_lookup", company=company)
    if price is None:
        product = case.word(("team", "pro", "enterprise"))
        seats = int(float(case.amount("seats") or 25))
        return ask(f"I price {seats} seats of {product}.", "price_quote", product=product, seats=seats)
    if not price.is_good:
        return stuck(price, "the price")
    if sent is None:
        return ask(
            f"{price['total_usd']} USD a year after {price['discount_percent']} % discount. I send it.",
            "send_quote",
            company=company,
            amount_usd=price["total_usd"],
            valid_days=30,
        )
    if not sent.is_good:
        return stuck(sent, "sending the quote")
    return Reply(
        text=f"Quote {sent['quote_id']} over {sent['amount_usd']} USD went to {company}; valid 30 days."
    )


def pipeline_hygiene(case: Case) -> Reply:
    """open_deals → crm_update for the stale ones."""
    deals = case.got("open_deals")
    if deals is None:
        return ask("I list the open deals.", "open_deals", owner_team="sales")
    if not deals.is_good:
        return stuck(deals, "the list of deals")
    stale = [deal for deal in deals.rows("deals") if deal["is_stale"]]
    if case.got("crm_update") is None and stale:
        calls = tuple(
            Ask(
                tool="crm_update",
                arguments={
                    "company": deal["company"],
                    "stage": "on-hold",
                    "note": f"No contact for {deal['idle_days']} days; asked the owner for a date.",
                },
            )
            for deal in stale
        )
        return Reply(text=f"{len(stale)} deals had no contact for a month.", calls=calls)
    names = ", ".join(str(deal["company"]) for deal in stale) or "none"
    return Reply(text=f"Checked {len(deals.rows('deals'))} deals, set on hold: {names}.")


def campaign_draft(case: Case) -> Reply:
    """brand_guide and keyword_ideas at once → draft_copy."""
    topic = case.quoted("spring collection")
    guide, ideas, draft = (case.got(tool) for tool in ("brand_guide", "keyword_ideas", "draft_copy"))
    if guide is None or ideas is None:
        return Reply(
            text="I read the brand guide and collect keywords.",
            calls=(
                Ask(tool="brand_guide", arguments={"topic": topic}),
                Ask(tool="keyword_ideas", arguments={"topic": topic}),
            ),
        )
    if draft is None:
        return ask(
            "I write the draft in our tone.",
            "draft_copy",
            channel=case.word(("newsletter", "landing", "ads")),
            audience=str(guide["audience"]),
            brief=f"{topic}: {guide['tone']}; use {', '.join(map(str, listed(ideas['keywords'])[:3]))}",
        )
    if not draft.is_good:
        return stuck(draft, "the draft")
    return Reply(text=f"Draft {draft['draft_id']} for {draft['channel']} is ready: {draft['headline']}")


def social_post(case: Case) -> Reply:
    """brand_guide → draft_copy → publish_post."""
    topic = case.quoted("spring collection")
    guide, draft, posted = (case.got(tool) for tool in ("brand_guide", "draft_copy", "publish_post"))
    channel = case.word(("linkedin", "mastodon", "blog"))
    if guide is None:
        return ask("I read the brand guide.", "brand_guide", topic=topic)
    if draft is None:
        brief = f"{topic}: {guide['tone']}"
        return ask(
            "I draft the post.", "draft_copy", channel=channel, audience=guide["audience"], brief=brief
        )
    if posted is None and draft.is_good:
        return ask(
            f"The draft keeps to the guide. I publish it on {channel}.",
            "publish_post",
            channel=channel,
            draft_id=draft["draft_id"],
        )
    if posted is None or not posted.is_good:
        return stuck(posted or draft, "publishing the post")
    return Reply(text=f"Published {posted['draft_id']} on {posted['channel']}: {posted['url']}")


def survey_summary(case: Case) -> Reply:
    """survey_results → write_report."""
    survey, report = case.got("survey_results"), case.got("write_report")
    if survey is None:
        return ask("I fetch the answers.", "survey_results", survey=case.quoted("customer pulse"))
    if not survey.is_good:
        return stuck(survey, "fetching the survey")
    if report is None:
        return ask(
            f"{survey['answers']} answers are enough to say something.",
            "write_report",
            title=f"Survey {survey['survey']}",
            body=f"{survey['answers']} answers, {survey['satisfied_percent']} % satisfied. "
            f"Most wished for: {survey['top_wish']}. Most complained about: {survey['top_complaint']}.",
        )
    return Reply(
        text=f"Summary written ({report['report_id']}): {survey['satisfied_percent']} % are satisfied."
    )
