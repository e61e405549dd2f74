def test_x(scene):
    scene.online("ha1")
    a = scene.create(body="sistem macet")
    print(a)
    scene.clock.advance(301)
    scene.run_due()
    print(scene.log(), scene.actions())
    scene.loads_hold()

def test_y(client):
    r = client.post("/v1/events", json={"id": "1"})
    print(r.status_code, r.json)
