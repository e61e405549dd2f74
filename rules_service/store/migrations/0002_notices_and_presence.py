"""Actions that are held, signs of life, users by API, and folders."""

# One statement a line, as the database keeps it.
# ruff: noqa: E501

STATEMENTS = (
    'CREATE TABLE "notice" ("id" TEXT NOT NULL PRIMARY KEY, "key" TEXT NOT NULL, "ticket_id" TEXT NOT NULL, "event_id" TEXT NOT NULL, "type" TEXT NOT NULL, "cause" TEXT NOT NULL, "data" TEXT NOT NULL, "source" TEXT, "decided_at" {big} NOT NULL, "due_at" {big} NOT NULL)',
    'CREATE INDEX "notice_key_due_at" ON "notice" ("key", "due_at")',
    'CREATE INDEX "notice_due_at" ON "notice" ("due_at")',
    'CREATE TABLE "disabled_endpoint" ("endpoint" TEXT NOT NULL PRIMARY KEY, "address_sha256" TEXT NOT NULL, "disabled_at" {big} NOT NULL)',
    'ALTER TABLE "member" ADD COLUMN "heard_at" {big}',
    'ALTER TABLE "member" ADD COLUMN "max_assignment" INTEGER',
    'ALTER TABLE "clock" ADD COLUMN "history" TEXT',
    'CREATE INDEX "member_heard" ON "member" ("presence", "heard_at") WHERE ("heard_at" IS NOT NULL)',
    'ALTER TABLE "member" ADD COLUMN "desks" TEXT',
    'CREATE TABLE "roster_version" ("id" INTEGER NOT NULL PRIMARY KEY, "version" INTEGER NOT NULL)',
    'CREATE INDEX "skill_user_id" ON "skill" ("user_id")',
    'ALTER TABLE "ticket" ADD COLUMN "live" {bool} DEFAULT TRUE NOT NULL',
    'UPDATE "ticket" SET "live" = FALSE WHERE REPLACE("state", \'"live":false\', \'\') <> "state"',
    'CREATE INDEX "ticket_open" ON "ticket" ("created_at", "id", "channel", "team", "desk", "assignee", "status", "priority", "tier", "breached", "escalated", "live", "closed_at") WHERE live AND closed_at IS NULL',
    'CREATE INDEX "ticket_closed" ON "ticket" ("created_at", "id", "channel", "team", "desk", "assignee", "status", "priority", "tier", "breached", "escalated", "live", "closed_at") WHERE live AND closed_at IS NOT NULL',
    'ALTER TABLE "ticket" ADD COLUMN "queue_key" TEXT',
    'UPDATE "ticket" SET "queue_key" = "queued_at" WHERE "queued_at" IS NOT NULL',
    'DROP INDEX "ticket_queue"',
    'CREATE INDEX "ticket_queue" ON "ticket" ("desk", "queue_key", "id", "queued_at") WHERE ("queued_at" IS NOT NULL)',
    'DROP INDEX "ticket_due"',
    'CREATE INDEX "ticket_due" ON "ticket" ("next_due_at", "id") WHERE ("next_due_at" IS NOT NULL)',
    'DROP INDEX "ticket_assignee"',
    'CREATE INDEX "ticket_held" ON "ticket" ("assignee") WHERE live AND closed_at IS NULL',
    'CREATE INDEX "ticket_judged" ON "ticket" ("judged_under", "id") WHERE live AND closed_at IS NULL',
    'ALTER TABLE "stint" ADD COLUMN "queued_at" {big}',
    'CREATE INDEX "stint_served" ON "stint" ("desk", "assigned_at") WHERE ("queued_at" IS NOT NULL)',
)

UNDO = (
    'DROP INDEX "stint_served"',
    'ALTER TABLE "stint" DROP COLUMN "queued_at"',
    'DROP INDEX "ticket_judged"',
    'DROP INDEX "ticket_held"',
    'CREATE INDEX "ticket_assignee" ON "ticket" ("assignee", "status")',
    'DROP INDEX "ticket_due"',
    'CREATE INDEX "ticket_due" ON "ticket" ("next_due_at") WHERE ("next_due_at" IS NOT NULL)',
    'DROP INDEX "ticket_queue"',
    'ALTER TABLE "ticket" DROP COLUMN "queue_key"',
    'CREATE INDEX "ticket_queue" ON "ticket" ("desk", "queued_at") WHERE ("queued_at" IS NOT NULL)',
    'DROP INDEX "ticket_closed"',
    'DROP INDEX "ticket_open"',
    'ALTER TABLE "ticket" DROP COLUMN "live"',
    'DROP INDEX "skill_user_id"',
    'DROP TABLE "roster_version"',
    'ALTER TABLE "member" DROP COLUMN "desks"',
    'DROP INDEX "member_heard"',
    'ALTER TABLE "clock" DROP COLUMN "history"',
    'ALTER TABLE "member" DROP COLUMN "max_assignment"',
    'ALTER TABLE "member" DROP COLUMN "heard_at"',
    'DROP TABLE "notice"',
    'DROP TABLE "disabled_endpoint"',
)


def up(migrator, db):  # type: ignore[no-untyped-def]
    """Makes them."""
    big, bool_ = ("BIGINT", "BOOLEAN") if "Postgres" in type(migrator).__name__ else ("INTEGER", "INTEGER")
    for statement in STATEMENTS:
        db.execute_sql(statement.format(big=big, bool=bool_))


def down(migrator, db):  # type: ignore[no-untyped-def]  # noqa: ARG001  what the runner calls
    """Takes them back."""
    for statement in UNDO:
        db.execute_sql(statement)
