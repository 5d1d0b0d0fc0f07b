from __future__ import annotations
import time, json
import pytest
from oncehub.share.consumers import add_consumer, revoke_consumer
from joserfc.jwk import OKPKey
WHO = {"person.personal_id": "001084000999"}

def test_replay_fraction(portal):
    for _ in range(20):
        t=time.time()
        if 0.3 < t-int(t) < 0.6: break
        time.sleep(0.05)
    a = portal.assertion(exp=int(t)-10+0.2)
    print(portal.ask_token(a).status_code, portal.ask_token(a).status_code)

def test_old_key_token(portal, database, believe):
    believe(personal_id="001084000999", full_name="A")
    portal.token()
    revoke_consumer(database, portal.client_id)
    print("revoked", portal.lookup(WHO, ["person.full_name"]).status_code)
    add_consumer(database, portal.client_id, "portal-residence", OKPKey.generate_key("Ed25519").as_dict(private=False))
    print("readmitted w/ new key, old token:", portal.lookup(WHO, ["person.full_name"]).status_code)

def test_weird_bodies(portal, believe, caplog, log):
    believe(personal_id="001084000999", full_name="A")
    h = portal.headers() | {"content-type":"application/json"}
    def post(raw):
        r = portal.http.post("/v1/persons/lookup", content=raw, headers=h)
        print(raw[:70], r.status_code, r.text[:250])
    post(b'{"search": {"person.personal_id": "\\ud800"}, "attributes": ["person.full_name"]}')
    post(b'{"search": {"\\ud800": "1"}, "attributes": ["\\ud800"]}')
    post(b'{"search": {"person.tax_code": "\\u0000"}, "attributes": ["person.full_name"]}')
    post(b'{"search": {"person.national_id_9": "0010840009"}, "attributes": ["dossier.owner_name"]}')
    post(b'{"search": {"person.personal_id": "001084000999"}, "attributes": ["person.full_name"], "purpose": "\\ud800 001084000999"}')
    post(b'{"search": {"person.personal_id": "001084000999"}, "attributes": ["person.full_name"], "001084000999": 1}')
    post(b'{"search": {"person.phone": "\\ud800"}, "attributes": ["person.full_name"]}')
    post(b'{"search": {"001084000999": {"001084000999":1}}, "attributes": ["person.full_name"]}')
    post(b'\xff\xfe')
    post(b'[' * 30000)
    post(b'{"search": {"person.personal_id": "001084000999"}, "attributes": ' + b'["aaa' * 1 + b'"]}')
    t=time.time(); post(b'{"search": {"person.personal_id": "001084000999"}, "attributes": [' + b",".join(b'"person.' + b'%d'%i + b'x'*600 + b'"' for i in range(100)) + b']}'); print("sec", time.time()-t)
    for q in ["after=001084000999x","cccd=001084000999","after=1&after=2", "limit=1e3"]:
        r = portal.http.get("/v1/feeds/residence/changes?"+q, headers=portal.headers()); print(q, r.status_code, r.text)
    r = portal.http.get("/v1/feeds/"+"%00%ed%a0%80"+"/changes", headers=portal.headers()); print(r.status_code, r.text)
    r = portal.http.post("/v1/procedures/001084000999/prefill/", json={"search":WHO}, headers=portal.headers(), follow_redirects=False); print(r.status_code, dict(r.headers), r.text)
    r = portal.http.post("/v1/token", content=b"x"*70000, headers={"content-type":"application/x-www-form-urlencoded"}); print(r.status_code, r.text)
    r = portal.http.post("/v1/token", content=b"grant_type=client_credentials&client_assertion_type=x&client_assertion=%ed%a0%80", headers={"content-type":"application/x-www-form-urlencoded"}); print(r.status_code, r.text)
    r = portal.http.post("/v1/token", files={"client_assertion":("a",b"y"*70000)}); print(r.status_code, r.text)
    r = portal.http.post("/v1/token", files={"client_assertion":("a",b"001084000999")}); print(r.status_code, r.text)
    r = portal.http.post("/v1/token", content=b"--x\r\nbroken 001084000999", headers={"content-type":"multipart/form-data; boundary=x"}); print(r.status_code, r.text)
    r = portal.http.post("/v1/token", content=b"broken 001084000999", headers={"content-type":"multipart/form-data"}); print(r.status_code, r.text)
    print(log())
    print([r.getMessage() for r in caplog.records if "0010840" in r.getMessage() or "0010840" in str(r.exc_info)])

def test_notliving(portal, believe, log):
    believe(personal_id="001084000999", full_name="A", life_status="deceased")
    print(portal.prefill("1.004222", WHO).text, log())
