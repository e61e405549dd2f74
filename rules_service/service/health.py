"""Is the service able to work, and how much is there to do: for probes, scrapers and `doctor`."""

from __future__ import annotations

import datetime as dt
from typing import Any, Protocol

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from rules_service.errors import ServiceError
from rules_service.ruleset import Ruleset
from rules_service.store import Store, figures, outbox, rulesets

#: A worker that was not heard of for so long counts as gone.
WORKER_SILENT_S = 30

#: What to do about a disabled endpoint.
ENABLE = "POST /v1/endpoints/{}/enable once it works again, or change its address"


class Following(Protocol):
    """What health asks of the process's active ruleset."""

    problem: str | None

    def ruleset(self) -> Ruleset:
        """The ruleset in force."""


def readiness(store: Store, live: Following, now: dt.datetime) -> dict[str, Any]:
    """`ready`, and for each check `ok` or what is wrong. Without a worker or engine the service is still ready."""
    store.check_ready()
    checks: dict[str, str] = {"database": "ok"}
    ready = True
    ruleset_hash = None
    try:
        ruleset = live.ruleset()
        ruleset_hash = ruleset.hash
        checks["ruleset"] = live.problem or "ok"
        watched = rulesets.watched(store)
        if watched is not None and watched[1]:
            count = len(watched[1])
            first = f"the watched folder has {count} problem{'s' if count > 1 else ''}, the first: {watched[1][0]}"
            checks["watched"] = f"{first}; the last good ruleset stays active"
        by_match = {state.reason for state in ruleset.rules.states() if state.answers == "match"}
        checks["engine"] = f"rules are matched without the network: {'; '.join(sorted(by_match))}" if by_match else "ok"
    except Exception as error:  # noqa: BLE001  whatever it is, it is what the probe must say
        ready = False
        checks["ruleset"] = str(error)
    disabled = outbox.disabled(store)
    checks["endpoints"] = "; ".join(f"{found}; {ENABLE.format(found.endpoint)}" for found in disabled) or "ok"
    silent_s = figures.worker_silent_s(store, now)
    if silent_s is None:
        checks["worker"] = "no worker has run yet; start `rules-service worker`"
    else:
        checks["worker"] = "ok" if silent_s <= WORKER_SILENT_S else f"no worker was alive for {silent_s} s"
    return {"ready": ready, "checks": checks, "ruleset": ruleset_hash}


def metrics(store: Store, live: Following, now: dt.datetime) -> bytes:
    """The metrics in Prometheus' text format."""
    registry = CollectorRegistry()
    registry.register(_Figures(store, live, now))
    return generate_latest(registry)


class _Figures:
    def __init__(self, store: Store, live: Following, now: dt.datetime) -> None:
        self._store, self._live, self._now = store, live, now

    def collect(self) -> list[Metric]:
        found = []
        for name, about, labels, values in figures.all_figures(self._store, self._now):
            # What only grows is named so: the type follows from the name, as in Prometheus' own conventions.
            family_of = CounterMetricFamily if name.endswith("_total") else GaugeMetricFamily
            family = family_of(f"rules_service_{name}", about, labels=labels)
            for key, value in values:
                family.add_metric(list(key), value)
            found.append(family)
        info = GaugeMetricFamily(
            "rules_service_ruleset_info", "the ruleset in force in the answering process", labels=["hash"]
        )
        engine = CounterMetricFamily(
            "rules_service_matcher_total", "engine events since this ruleset was loaded here", labels=["kind"]
        )
        try:
            ruleset = self._live.ruleset()
            info.add_metric([ruleset.hash], 1)
            for kind, count in sorted(ruleset.rules.counts().items()):
                engine.add_metric([kind], count)
        except ServiceError:
            pass
        return [*found, info, engine]
