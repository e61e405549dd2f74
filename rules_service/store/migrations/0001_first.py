"""The first tables."""

# One statement a line, as the database keeps it.
# ruff: noqa: E501

STATEMENTS = {
    "sqlite": (
        'CREATE TABLE "ticket" ("id" TEXT NOT NULL PRIMARY KEY, "version" INTEGER NOT NULL, "status" TEXT NOT NULL, "priority" INTEGER NOT NULL, "tier" INTEGER NOT NULL, "channel" TEXT, "team" TEXT, "desk" TEXT NOT NULL, "assignee" TEXT, "customer_id" TEXT, "created_at" INTEGER NOT NULL, "queued_at" INTEGER, "waiting_since_at" INTEGER, "closed_at" INTEGER, "next_due_at" INTEGER, "breached" INTEGER NOT NULL, "escalated" INTEGER NOT NULL, "judged_under" TEXT NOT NULL, "state" TEXT NOT NULL)',
        'CREATE INDEX "ticket_due" ON "ticket" ("next_due_at") WHERE ("next_due_at" IS NOT NULL)',
        'CREATE INDEX "ticket_queue" ON "ticket" ("desk", "queued_at") WHERE ("queued_at" IS NOT NULL)',
        'CREATE INDEX "ticket_assignee" ON "ticket" ("assignee", "status")',
        'CREATE INDEX "ticket_customer" ON "ticket" ("customer_id", "closed_at")',
        'CREATE TABLE "stint" ("id" INTEGER NOT NULL PRIMARY KEY, "ticket_id" TEXT NOT NULL, "number" INTEGER NOT NULL, "agent_id" TEXT NOT NULL, "desk" TEXT NOT NULL, "assigned_at" INTEGER NOT NULL, "opened_at" INTEGER, "responded_at" INTEGER, "ended_at" INTEGER, "ended_by" TEXT, "over_maximum" INTEGER NOT NULL)',
        'CREATE UNIQUE INDEX "stint_ticket_id_number" ON "stint" ("ticket_id", "number")',
        'CREATE UNIQUE INDEX "stint_open" ON "stint" ("ticket_id") WHERE ("ended_at" IS NULL)',
        'CREATE INDEX "stint_agent" ON "stint" ("agent_id", "assigned_at")',
        'CREATE TABLE "clock" ("id" INTEGER NOT NULL PRIMARY KEY, "ticket_id" TEXT NOT NULL, "name" TEXT NOT NULL, "stint_number" INTEGER NOT NULL, "status" TEXT NOT NULL, "calendar" TEXT NOT NULL, "target_s" INTEGER NOT NULL, "used_s" INTEGER NOT NULL, "started_at" INTEGER NOT NULL, "stopped_at" INTEGER, "breached_at" INTEGER, "intervals" TEXT NOT NULL)',
        'CREATE INDEX "clock_ticket_id_id" ON "clock" ("ticket_id", "id")',
        'CREATE TABLE "event" ("seq" INTEGER NOT NULL PRIMARY KEY, "event_id" TEXT NOT NULL, "ticket_id" TEXT NOT NULL, "type" TEXT NOT NULL, "at" INTEGER NOT NULL, "received_at" INTEGER NOT NULL, "digest" TEXT NOT NULL, "body" TEXT NOT NULL, "answer" TEXT, "decisions" TEXT NOT NULL, "ruleset_hash" TEXT NOT NULL)',
        'CREATE UNIQUE INDEX "event_event_id" ON "event" ("event_id")',
        'CREATE INDEX "event_ticket_id_seq" ON "event" ("ticket_id", "seq")',
        'CREATE TABLE "action" ("seq" INTEGER NOT NULL PRIMARY KEY, "id" TEXT NOT NULL, "ticket_id" TEXT NOT NULL, "event_id" TEXT NOT NULL, "type" TEXT NOT NULL, "cause" TEXT NOT NULL, "data" TEXT NOT NULL, "created_at" INTEGER NOT NULL)',
        'CREATE UNIQUE INDEX "action_id" ON "action" ("id")',
        'CREATE INDEX "action_ticket_id_seq" ON "action" ("ticket_id", "seq")',
        'CREATE TABLE "delivery" ("id" INTEGER NOT NULL PRIMARY KEY, "action_seq" INTEGER NOT NULL, "ticket_id" TEXT NOT NULL, "endpoint" TEXT NOT NULL, "state" TEXT NOT NULL CHECK (state IN (\'pending\', \'delivered\', \'dead\')), "attempts" INTEGER NOT NULL, "next_attempt_at" INTEGER NOT NULL, "delivered_at" INTEGER, "last_error" TEXT)',
        'CREATE INDEX "delivery_due" ON "delivery" ("next_attempt_at", "id") WHERE ("state" = \'pending\')',
        'CREATE INDEX "delivery_order" ON "delivery" ("endpoint", "ticket_id", "id") WHERE ("state" = \'pending\')',
        'CREATE TABLE "member" ("id" TEXT NOT NULL PRIMARY KEY, "name" TEXT NOT NULL, "team" TEXT, "role" TEXT NOT NULL, "level" INTEGER NOT NULL, "source" TEXT NOT NULL, "active" INTEGER NOT NULL, "presence" TEXT NOT NULL CHECK (presence IN (\'online\', \'offline\', \'away\')), "presence_at" INTEGER, "open_count" INTEGER NOT NULL CHECK (open_count >= 0), "slot_limit" INTEGER, "last_assigned_at" INTEGER)',
        'CREATE TABLE "membership" ("desk" TEXT NOT NULL, "user_id" TEXT NOT NULL, PRIMARY KEY ("desk", "user_id"))',
        'CREATE INDEX "membership_user_id" ON "membership" ("user_id")',
        'CREATE TABLE "skill" ("skill" TEXT NOT NULL, "user_id" TEXT NOT NULL, PRIMARY KEY ("skill", "user_id"))',
        'CREATE TABLE "timer" ("subject" TEXT NOT NULL, "kind" TEXT NOT NULL, "due_at" INTEGER NOT NULL, PRIMARY KEY ("subject", "kind"))',
        'CREATE INDEX "timer_due_at" ON "timer" ("due_at")',
        'CREATE TABLE "desk_memory" ("desk" TEXT NOT NULL PRIMARY KEY, "memory" TEXT NOT NULL)',
        'CREATE TABLE "braked" ("ruleset_hash" TEXT NOT NULL, "rule_id" TEXT NOT NULL, "braked_at" INTEGER NOT NULL, PRIMARY KEY ("ruleset_hash", "rule_id"))',
        'CREATE TABLE "ruleset" ("hash" TEXT NOT NULL PRIMARY KEY, "files" TEXT NOT NULL, "rules" TEXT NOT NULL, "published_at" INTEGER NOT NULL, "published_by" TEXT NOT NULL)',
        'CREATE TABLE "activation" ("id" INTEGER NOT NULL PRIMARY KEY, "ruleset_hash" TEXT NOT NULL, "activated_at" INTEGER NOT NULL, "activated_by" TEXT NOT NULL)',
        'CREATE TABLE "watched" ("id" INTEGER NOT NULL PRIMARY KEY, "content_hash" TEXT NOT NULL, "problems" TEXT NOT NULL, "seen_at" INTEGER NOT NULL)',
        'CREATE TABLE "api_key" ("id" TEXT NOT NULL PRIMARY KEY, "name" TEXT NOT NULL, "secret_sha256" TEXT NOT NULL, "scopes" TEXT NOT NULL, "role" TEXT NOT NULL, "user_id" TEXT, "created_at" INTEGER NOT NULL, "disabled_at" INTEGER)',
        'CREATE TABLE "process" ("id" TEXT NOT NULL PRIMARY KEY, "kind" TEXT NOT NULL, "ruleset_hash" TEXT, "seen_at" INTEGER NOT NULL)',
        'CREATE TABLE "plugged" ("connector" TEXT NOT NULL, "ticket_id" TEXT NOT NULL, "memory" TEXT NOT NULL, "changed_at" INTEGER NOT NULL, PRIMARY KEY ("connector", "ticket_id"))',
        'CREATE TABLE "inbound" ("id" INTEGER NOT NULL PRIMARY KEY, "connector" TEXT NOT NULL, "source" TEXT NOT NULL, "payload" TEXT NOT NULL, "received_at" INTEGER NOT NULL, "error" TEXT)',
    ),
    "postgres": (
        'CREATE TABLE "ticket" ("id" TEXT NOT NULL PRIMARY KEY, "version" INTEGER NOT NULL, "status" TEXT NOT NULL, "priority" SMALLINT NOT NULL, "tier" SMALLINT NOT NULL, "channel" TEXT, "team" TEXT, "desk" TEXT NOT NULL, "assignee" TEXT, "customer_id" TEXT, "created_at" BIGINT NOT NULL, "queued_at" BIGINT, "waiting_since_at" BIGINT, "closed_at" BIGINT, "next_due_at" BIGINT, "breached" BOOLEAN NOT NULL, "escalated" BOOLEAN NOT NULL, "judged_under" TEXT NOT NULL, "state" TEXT NOT NULL)',
        'CREATE INDEX "ticket_due" ON "ticket" ("next_due_at") WHERE ("next_due_at" IS NOT NULL)',
        'CREATE INDEX "ticket_queue" ON "ticket" ("desk", "queued_at") WHERE ("queued_at" IS NOT NULL)',
        'CREATE INDEX "ticket_assignee" ON "ticket" ("assignee", "status")',
        'CREATE INDEX "ticket_customer" ON "ticket" ("customer_id", "closed_at")',
        'CREATE TABLE "stint" ("id" BIGSERIAL NOT NULL PRIMARY KEY, "ticket_id" TEXT NOT NULL, "number" INTEGER NOT NULL, "agent_id" TEXT NOT NULL, "desk" TEXT NOT NULL, "assigned_at" BIGINT NOT NULL, "opened_at" BIGINT, "responded_at" BIGINT, "ended_at" BIGINT, "ended_by" TEXT, "over_maximum" BOOLEAN NOT NULL)',
        'CREATE UNIQUE INDEX "stint_ticket_id_number" ON "stint" ("ticket_id", "number")',
        'CREATE UNIQUE INDEX "stint_open" ON "stint" ("ticket_id") WHERE ("ended_at" IS NULL)',
        'CREATE INDEX "stint_agent" ON "stint" ("agent_id", "assigned_at")',
        'CREATE TABLE "clock" ("id" BIGSERIAL NOT NULL PRIMARY KEY, "ticket_id" TEXT NOT NULL, "name" TEXT NOT NULL, "stint_number" INTEGER NOT NULL, "status" TEXT NOT NULL, "calendar" TEXT NOT NULL, "target_s" INTEGER NOT NULL, "used_s" INTEGER NOT NULL, "started_at" BIGINT NOT NULL, "stopped_at" BIGINT, "breached_at" BIGINT, "intervals" TEXT NOT NULL)',
        'CREATE INDEX "clock_ticket_id_id" ON "clock" ("ticket_id", "id")',
        'CREATE TABLE "event" ("seq" BIGSERIAL NOT NULL PRIMARY KEY, "event_id" TEXT NOT NULL, "ticket_id" TEXT NOT NULL, "type" TEXT NOT NULL, "at" BIGINT NOT NULL, "received_at" BIGINT NOT NULL, "digest" TEXT NOT NULL, "body" TEXT NOT NULL, "answer" TEXT, "decisions" TEXT NOT NULL, "ruleset_hash" TEXT NOT NULL)',
        'CREATE UNIQUE INDEX "event_event_id" ON "event" ("event_id")',
        'CREATE INDEX "event_ticket_id_seq" ON "event" ("ticket_id", "seq")',
        'CREATE TABLE "action" ("seq" BIGSERIAL NOT NULL PRIMARY KEY, "id" TEXT NOT NULL, "ticket_id" TEXT NOT NULL, "event_id" TEXT NOT NULL, "type" TEXT NOT NULL, "cause" TEXT NOT NULL, "data" TEXT NOT NULL, "created_at" BIGINT NOT NULL)',
        'CREATE UNIQUE INDEX "action_id" ON "action" ("id")',
        'CREATE INDEX "action_ticket_id_seq" ON "action" ("ticket_id", "seq")',
        'CREATE TABLE "delivery" ("id" BIGSERIAL NOT NULL PRIMARY KEY, "action_seq" BIGINT NOT NULL, "ticket_id" TEXT NOT NULL, "endpoint" TEXT NOT NULL, "state" TEXT NOT NULL CHECK (state IN (\'pending\', \'delivered\', \'dead\')), "attempts" INTEGER NOT NULL, "next_attempt_at" BIGINT NOT NULL, "delivered_at" BIGINT, "last_error" TEXT)',
        'CREATE INDEX "delivery_due" ON "delivery" ("next_attempt_at", "id") WHERE ("state" = \'pending\')',
        'CREATE INDEX "delivery_order" ON "delivery" ("endpoint", "ticket_id", "id") WHERE ("state" = \'pending\')',
        'CREATE TABLE "member" ("id" TEXT NOT NULL PRIMARY KEY, "name" TEXT NOT NULL, "team" TEXT, "role" TEXT NOT NULL, "level" SMALLINT NOT NULL, "source" TEXT NOT NULL, "active" BOOLEAN NOT NULL, "presence" TEXT NOT NULL CHECK (presence IN (\'online\', \'offline\', \'away\')), "presence_at" BIGINT, "open_count" INTEGER NOT NULL CHECK (open_count >= 0), "slot_limit" INTEGER, "last_assigned_at" BIGINT)',
        'CREATE TABLE "membership" ("desk" TEXT NOT NULL, "user_id" TEXT NOT NULL, PRIMARY KEY ("desk", "user_id"))',
        'CREATE INDEX "membership_user_id" ON "membership" ("user_id")',
        'CREATE TABLE "skill" ("skill" TEXT NOT NULL, "user_id" TEXT NOT NULL, PRIMARY KEY ("skill", "user_id"))',
        'CREATE TABLE "timer" ("subject" TEXT NOT NULL, "kind" TEXT NOT NULL, "due_at" BIGINT NOT NULL, PRIMARY KEY ("subject", "kind"))',
        'CREATE INDEX "timer_due_at" ON "timer" ("due_at")',
        'CREATE TABLE "desk_memory" ("desk" TEXT NOT NULL PRIMARY KEY, "memory" TEXT NOT NULL)',
        'CREATE TABLE "braked" ("ruleset_hash" TEXT NOT NULL, "rule_id" TEXT NOT NULL, "braked_at" BIGINT NOT NULL, PRIMARY KEY ("ruleset_hash", "rule_id"))',
        'CREATE TABLE "ruleset" ("hash" TEXT NOT NULL PRIMARY KEY, "files" TEXT NOT NULL, "rules" TEXT NOT NULL, "published_at" BIGINT NOT NULL, "published_by" TEXT NOT NULL)',
        'CREATE TABLE "activation" ("id" BIGSERIAL NOT NULL PRIMARY KEY, "ruleset_hash" TEXT NOT NULL, "activated_at" BIGINT NOT NULL, "activated_by" TEXT NOT NULL)',
        'CREATE TABLE "watched" ("id" INTEGER NOT NULL PRIMARY KEY, "content_hash" TEXT NOT NULL, "problems" TEXT NOT NULL, "seen_at" BIGINT NOT NULL)',
        'CREATE TABLE "api_key" ("id" TEXT NOT NULL PRIMARY KEY, "name" TEXT NOT NULL, "secret_sha256" TEXT NOT NULL, "scopes" TEXT NOT NULL, "role" TEXT NOT NULL, "user_id" TEXT, "created_at" BIGINT NOT NULL, "disabled_at" BIGINT)',
        'CREATE TABLE "process" ("id" TEXT NOT NULL PRIMARY KEY, "kind" TEXT NOT NULL, "ruleset_hash" TEXT, "seen_at" BIGINT NOT NULL)',
        'CREATE TABLE "plugged" ("connector" TEXT NOT NULL, "ticket_id" TEXT NOT NULL, "memory" TEXT NOT NULL, "changed_at" BIGINT NOT NULL, PRIMARY KEY ("connector", "ticket_id"))',
        'CREATE TABLE "inbound" ("id" BIGSERIAL NOT NULL PRIMARY KEY, "connector" TEXT NOT NULL, "source" TEXT NOT NULL, "payload" TEXT NOT NULL, "received_at" BIGINT NOT NULL, "error" TEXT)',
    ),
}


def up(migrator, db):  # type: ignore[no-untyped-def]
    """Makes the tables and indexes."""
    for statement in STATEMENTS["postgres" if "Postgres" in type(migrator).__name__ else "sqlite"]:
        db.execute_sql(statement)


def down(migrator, db):  # type: ignore[no-untyped-def]
    """Drops the tables."""
    for statement in STATEMENTS["postgres" if "Postgres" in type(migrator).__name__ else "sqlite"]:
        if statement.startswith("CREATE TABLE"):
            db.execute_sql(f"DROP TABLE {statement.split()[2]}")
