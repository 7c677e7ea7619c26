"""The starter registry that ``fleetbook init`` writes: small, commented, and runnable as it stands."""

from __future__ import annotations

STARTER = """\
# registry.yaml: what your company's agents are and what they may do.
# `fleetbook registry check` reads it, `fleetbook registry plan` shows what would change, and
# `fleetbook registry apply` makes it so and writes each change into the event log. Keep this file in git.

company:
  name: Example Company
  time_zone: Europe/Berlin        # wallet windows and run dates are cut in this zone

# What holders of a role may do at most, and how far it reaches: own runs, own team, all teams.
roles:
  platform_lead:
    scope: all
    may: [run_agent, decide_approval, view_metrics, read_payload, export_data, apply_registry, change_budget,
          build_warehouse, approve_version, stop_run, change_agents, change_people, change_schedules]
  team_manager:
    scope: team
    may: [run_agent, decide_approval, view_metrics, read_payload, export_data, approve_version, stop_run,
          change_schedules]
  agent_user:
    scope: own
    may: [run_agent, view_metrics]
  analyst:
    scope: all
    may: [view_metrics, export_data]
  auditor:          # all numbers and no texts, but for a time: `fleetbook grant-content`
    scope: all
    may: [view_metrics, export_data]
  compliance_officer:
    scope: all
    may: [view_metrics, read_payload, export_data, sign_report]

teams:
  support: {name: Support, manager: mara-lindt, cost_center: "4100"}
  platform: {name: Platform, manager: priya-nair, cost_center: "4900"}

people:
  priya-nair: {name: Priya Nair, team: platform, role: platform_lead}
  mara-lindt: {name: Mara Lindt, team: support, role: team_manager}
  jon-vass: {name: Jon Vass, team: support, role: agent_user}
  helena-brandt: {name: Helena Brandt, team: platform, role: compliance_officer}
  li-chen: {name: Li Chen, team: platform, role: analyst}

# Python functions that agents may call. effect: read changes nothing, write changes something that can be put
# right, consequential moves money, publishes or breaks things.
tools:
  lookup_order: {function: "runner.agent.simulated_tools:lookup_order", effect: read}
  refund_payment: {function: "runner.agent.simulated_tools:refund_payment", effect: consequential}
  search_tickets: {function: "runner.agent.simulated_tools:search_tickets", effect: read}
  classify_ticket: {function: "runner.agent.simulated_tools:classify_ticket", effect: write}
  query_metrics: {function: "runner.agent.simulated_backoffice:query_metrics", effect: read}
  write_report: {function: "runner.agent.simulated_backoffice:write_report", effect: write}

templates:
  refund-with-approval: {version: 1, name: Refund with approval, purpose: Pays back after a person agreed.}

agents:
  refund-agent:
    name: Refund agent
    team: support
    owner: mara-lindt
    deputy: priya-nair
    author: priya-nair
    purpose: Checks refund requests against the order and pays them back, above 100 USD after approval.
    risk: {class: high, reasons: [moves_money], assessor: helena-brandt}
    template: {id: refund-with-approval, version: 1}
    # sim:<scenario> is the embedded simulated model: no key, no network, the same answer every time.
    # For a real one: openai-chat:<model>, with OPENAI_API_KEY and, for other endpoints, OPENAI_BASE_URL.
    model: sim:refund
    instructions: >-
      You refund customers. Look the order up first. Refund at most its total, and only within 30 days.
    max_output_tokens: 400
    tools:
      - tool: lookup_order
      - tool: refund_payment
        approval:
          id: refund-over-100
          when: {argument: amount_usd, over: 100}    # leave `when` out to ask every time
          approver_role: team_manager
          expires_minutes: 1440
          other_than_requester: true
          money_argument: amount_usd
    status: live

  triage-agent:
    name: Triage agent
    team: support
    owner: mara-lindt
    purpose: Sorts open tickets by topic and urgency.
    risk: {class: limited, reasons: [changes_tickets]}
    model: sim:triage
    instructions: You sort support tickets. Search first, then classify each one.
    max_output_tokens: 400
    tools:
      - tool: search_tickets
      - tool: classify_ticket
    status: live

  report-agent:
    name: Report agent
    team: platform
    owner: priya-nair
    purpose: Writes the weekly report on the agent fleet.
    risk: {class: minimal}
    model: sim:report
    instructions: You query the numbers and write a short report.
    max_output_tokens: 400
    tools:
      - tool: query_metrics
      - tool: write_report
    status: live

# Nobody runs an agent without a grant. `agent:` names one agent, `team:` the agents of a team; without either
# the grant covers what the role's scope reaches. effect: deny wins over every allow.
grants:
  - {id: leads-run-all, role: platform_lead, action: run_agent}
  - {id: managers-run-their-team, role: team_manager, action: run_agent}
  - {id: users-run-refund, role: agent_user, action: run_agent, agent: refund-agent}
  - {id: users-run-triage, role: agent_user, action: run_agent, agent: triage-agent}

# A cap is a number. Without one, write `unlimited: true` and a reason.
budgets:
  - {wallet: "team:support", window: month, cap_usd: "50.00"}
  - {wallet: "agent:refund-agent", window: month, cap_usd: "20.00"}
  - {wallet: "team:platform", window: month, unlimited: true, reason: "shared tooling, reviewed each quarter"}

# Own prices in USD per million tokens, for local and simulated models. Listed models need none.
prices:
  - {model: "sim:*", input_usd_per_mtok: "2.00", output_usd_per_mtok: "8.00", version: "starter-1"}
"""
