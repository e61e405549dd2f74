"""Make the database, the queue and the people; print the number of each user as JSON."""

import json
import os
import sys
from pathlib import Path

import django

django.setup()

from django.conf import settings  # noqa: E402  after setup
from django.contrib.auth.models import User  # noqa: E402
from django.contrib.sites.models import Site  # noqa: E402
from django.core.management import call_command  # noqa: E402
from helpdesk.models import Queue  # noqa: E402

QUEUE = "support"
STAFF = ("ha1", "ha2", "hs1", "hx1", "rules-service")

call_command("migrate", verbosity=0)
inbox = Path(settings.DATA, "inbox")
for folder in (inbox, settings.EMAIL_FILE_PATH):
    folder.mkdir(exist_ok=True)
Site.objects.update(domain="helpdesk.example.com", name="helpdesk")
Queue.objects.create(
    title="Support",
    slug=QUEUE,
    email_address=settings.DEFAULT_FROM_EMAIL,
    allow_public_submission=True,
    allow_email_submission=True,
    email_box_type="local",
    email_box_local_dir=str(inbox),
    email_box_interval=0,
)
people = {
    name: User.objects.create_user(name, f"{name}@staff.example.com", os.environ["HELPDESK_PASSWORD"], is_staff=True).pk
    for name in STAFF
}
json.dump(people, sys.stdout)
