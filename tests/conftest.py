"""Fixtures: a store on each database, a clock that stands still, a service, and the API in front of it."""

from __future__ import annotations

import pytest
import structlog
from hypothesis import HealthCheck, settings

from rules_service.api.app import compose, create_app
from rules_service.service.keys import SCOPES, create_key
from rules_service.settings import read_settings
from rules_service.store import Store
from tests.databases import Postgres, Sqlite
from tests.scene import VARIABLES, FakeClock, Scene, ruleset_of, travel_files

DATABASES = ("sqlite", "postgres")

# How long an example takes says something about the machine; a database that examples share is emptied by them.
settings.register_profile(
    "service", deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
settings.load_profile("service")


@pytest.fixture(autouse=True)
def logs():
    """Logs go to the standard library's logging, where tests can read them, whatever the test before has configured."""
    structlog.reset_defaults()
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
    )


@pytest.fixture(scope="session")
def postgres():
    """One server for each process of the test run."""
    server = Postgres()
    yield server
    server.close()


@pytest.fixture(scope="session")
def sqlite(tmp_path_factory):
    return Sqlite(tmp_path_factory.mktemp("sqlite"))


@pytest.fixture(params=DATABASES)
def databases(request):
    """Makes databases, of each kind in turn."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def store(databases):
    """A store with its tables and nothing in them."""
    opened = Store(databases.emptied())
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def ruleset():
    """The ruleset of the travel company."""
    return ruleset_of(travel_files())


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def scene(store, clock):
    """A service with the travel ruleset."""
    made = Scene(store, clock)
    yield made
    made.worker.relay.stop()


@pytest.fixture
def service(scene):
    return scene.service


@pytest.fixture(scope="session")
def bare_app(tmp_path_factory):
    """The API, made once: describing every address takes longer than most tests."""
    folder = tmp_path_factory.mktemp("bare")
    return create_app(compose(read_settings({"RULES_SERVICE_DATABASE": f"sqlite:///{folder}/bare.db"})))


@pytest.fixture
def app(scene, bare_app):
    """The API over the scene's database and clock."""
    settings = read_settings({"RULES_SERVICE_DATABASE": scene.store.url, **VARIABLES})
    services = compose(settings, store=scene.store, clock=scene.clock)
    services.live._ruleset = scene.ruleset
    bare_app.extensions["rules_service"] = services
    return bare_app


@pytest.fixture
def key(scene):
    """An API key with every scope."""
    return create_key(scene.store, scene.clock(), name="everything", scopes=list(SCOPES))


@pytest.fixture
def client(app, key):
    """A client whose every request carries the key."""
    made = app.test_client()
    made.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {key}"
    return made
