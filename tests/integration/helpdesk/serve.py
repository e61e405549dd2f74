"""Serve the helpdesk with threads on the listening socket whose descriptor is given."""

import socket
import sys

from django.core.wsgi import get_wsgi_application
from waitress import serve

serve(get_wsgi_application(), sockets=[socket.socket(fileno=int(sys.argv[1]))], threads=8)
