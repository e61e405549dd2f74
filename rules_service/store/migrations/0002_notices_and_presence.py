"""Actions that are held, signs of life, and users' own maxima."""

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
)

UNDO = (
    'DROP INDEX "member_heard"',
    'ALTER TABLE "clock" DROP COLUMN "history"',
    'ALTER TABLE "member" DROP COLUMN "max_assignment"',
    'ALTER TABLE "member" DROP COLUMN "heard_at"',
    'DROP TABLE "notice"',
)


def up(migrator, db):  # type: ignore[no-untyped-def]
    """Makes them."""
    big = "BIGINT" if "Postgres" in type(migrator).__name__ else "INTEGER"
    for statement in STATEMENTS:
        db.execute_sql(statement.format(big=big))


def down(migrator, db):  # type: ignore[no-untyped-def]  # noqa: ARG001  what the runner calls
    """Takes them back."""
    for statement in UNDO:
        db.execute_sql(statement)
    'DROP TABLE "disabled_endpoint"',
