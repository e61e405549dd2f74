"""A django-helpdesk project, as small as it gets, run in an environment of its own by `helpdesk_server`."""
