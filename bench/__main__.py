"""Every figure, each beside its baseline of the same run: `make bench`."""

from bench import activation, checking, deadlines, draining, events, inbound, matching, reloading, service_time

print("== Matching one row against many rules (ratios to ours; above 1: ours is faster)")
for count in (10, 50, 200, 1_000):
    matching.compare(count)
print("== Service time")
service_time.main()
print("== Events by HTTP, 4 clients, 50 rules, keys checked")
events.main()
print("== 1,000 rules checked")
checking.main()
print("== 1,000 rules put live under load")
reloading.main()
print("== A ruleset activated over open tickets")
activation.main()
print("== Deadlines")
deadlines.main()
print("== Queues")
draining.main()
print("== Webhooks of a helpdesk")
inbound.main()
