"""Who holds a ticket: assigned, reassigned, released, transferred; each holding is a stint."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

from rules_service.decide.draft import Draft
from rules_service.decide.triggers import impossible, in_order, trigger
from rules_service.tickets import Reason, Stint


def end_stint(draft: Draft, by: str) -> None:
    """Whoever holds it holds it no more; nothing where nobody does."""
    if draft.stint is not None:
        draft.ended_stints.append(replace(draft.stint, ended_at=draft.now, ended_by=by))
        draft.set(last_assignee=draft.stint.agent_id)
        draft.stint = None


def begin_stint(draft: Draft, agent_id: str, *, taken_from: str | None = None) -> None:
    """The agent holds it from now on, marked where that is more than they may.

    `taken_from` gets it back where the helpdesk cannot carry it out.
    """
    person = draft.person(agent_id)
    over = person is not None and not person.has_free_slot and not draft.event.data.get("claimed")
    draft.set(assignee=agent_id, queued_at=None, stint_number=draft.ticket.stint_number + 1)
    draft.stint = Stint(
        number=draft.ticket.stint_number,
        agent_id=agent_id,
        desk=draft.ticket.desk,
        assigned_at=draft.at,
        over_maximum=over,
        taken_from=taken_from,
        responded_at=_told_before(draft, agent_id),
    )
    if over:
        draft.marks.append("over_maximum")


def _told_before(draft: Draft, agent_id: str) -> dt.datetime | None:
    """When the agent answered, where that was told before the assignment that it followed."""
    sent_at = draft.ticket.last_sent_at
    told = sent_at is not None and draft.ticket.last_sent_by == agent_id and not in_order(draft.event)
    return sent_at if told and sent_at is not None and sent_at >= draft.at else None


def to_queue(draft: Draft, by: str) -> None:
    """It waits in the queue of its desk, held by nobody."""
    end_stint(draft, by)
    draft.set(assignee=None, queued_at=draft.at)


def assigned(draft: Draft) -> None:
    """Nobody held it: assign. Another held it: reassign. To nobody: release. The same again: unchanged."""
    if "assignee" not in draft.event.data:
        text = "data.assignee is required: a user's id, or null for nobody"
        impossible(draft, Reason(code="missing_data", text=text))
        return
    agent_id = draft.event.data["assignee"]
    holder = draft.ticket.assignee
    held = draft.stint is not None
    if agent_id == holder and (held or agent_id is None):
        draft.outcome = "unchanged"
        return
    if agent_id is None:
        if trigger(draft, "release"):
            to_queue(draft, "release")
            draft.tell("reassign", to=None, previous=holder)
        return
    name = "reassign" if held else "assign"
    if trigger(draft, name):
        end_stint(draft, name)
        begin_stint(draft, agent_id, taken_from=holder if held else None)
        draft.tell("reassign", to=agent_id, previous=holder)


def released(draft: Draft) -> None:
    """Back to the queue; unchanged where it waits there already."""
    holder = draft.ticket.assignee
    if holder is None and not draft.event.request:
        draft.outcome = "unchanged"
    elif trigger(draft, "release"):
        to_queue(draft, "release")
        draft.tell("reassign", to=None, previous=holder)


def transferred(draft: Draft) -> None:
    """To the queue of another group or desk; unchanged where it is there already."""
    data, roster = draft.event.data, draft.ruleset.roster
    if not (data.get("desk") in roster.desks or data.get("group") in roster.groups):
        text = "a transfer names a `group` or a `desk` of the ruleset"
        impossible(draft, Reason(code="unknown_target", text=text))
        return
    desk = roster.desk_for(desk=data.get("desk"), group=data.get("group"), channel=draft.ticket.channel)
    if desk == draft.ticket.desk and not draft.event.request:
        draft.outcome = "unchanged"
        return
    holder, origin = draft.ticket.assignee, draft.ticket.desk
    if trigger(draft, "transfer"):
        draft.set(desk=desk, group=roster.desks[desk].group, transfers_count=draft.ticket.transfers_count + 1)
        to_queue(draft, "transfer")
        draft.tell("transfer", group=draft.ticket.group, desk=desk, from_desk=origin, previous=holder)
