"""The viewer beyond loopback: with a certificate of its own, and behind a Caddy as trusted proxy. See run."""
import http.client
import json
import os
import socket
import ssl
import subprocess
import time
import urllib.parse

from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

import part
from access_checks import toast
from axe import HARMLESS, harmless, violations
from origins import inside, wait_site
from part import ended
from peer import Peer
from rooms_checks import ready
from story import browser, card, each_look, expect

NAME = "goop.test"
PASSWORD = "four words to keep"
PAGE = """<!doctype html><title>Bob</title><h1>bob home</h1><p id="who"></p><a id="next" href="sub/next.html?q=1">next</a>
<script src="/sdk/goop-identity.js"></script><script src="who.js"></script>"""
SCRIPT = "Goop.identity.get().then((me) => { document.getElementById('who').textContent = `visited by ${me.label}`; });"
# What is somebody's own, and needs a session.
CLOSED = ("", "settings", "network", "help", "site", "data", "self", "api/self", "api/peers", "api/events", "api/mq/events",
          "readyz", "assets/viewer.js", "assets/session.js", "api/rooms/settings", "api/shell/site?peer=x", "api/rooms/site",
          "api/rooms/site/text?path=index.html", "api/rooms/site/audience", "api/rooms/site/visitors", "api/rooms/site/events",
          "api/rooms/data/tables", "api/rooms/data/export?table=t", "api/rooms/peers", "api/rooms/network/log",
          "api/rooms/restart", "api/data/describe?table=t")


def free_port(ip):
    with socket.socket() as probe:
        probe.bind((ip, 0))
        return probe.getsockname()[1]


def certificate(folder, name):
    """A self-signed one for NAME and an address; the browser is told not to mind."""
    cert, key = folder / f"{name}.pem", folder / f"{name}.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-keyout", key, "-out", cert, "-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME},IP:127.0.0.2"],
        check=True, capture_output=True)
    key.chmod(0o600)
    return cert, key


class Door:
    """Requests to one address, saying exactly what the test wants to say."""

    def __init__(self, ip, port, host, is_tls=True, source=None):
        self.ip, self.port, self.host, self.is_tls, self.source = ip, port, host, is_tls, source

    def ask(self, path, method="GET", body=None, **fields):
        context = ssl._create_unverified_context() if self.is_tls else None
        line = socket.create_connection((self.ip, self.port), 10, source_address=self.source and (self.source, 0))
        if context:
            line = context.wrap_socket(line, server_hostname=NAME)
        client = http.client.HTTPConnection(self.ip, self.port, timeout=10)
        client.sock = line
        headers = {"Host": self.host, **{name.replace("_", "-"): value for name, value in fields.items()}}
        try:
            client.request(method, f"/{path}", body, headers)
            answer = client.getresponse()
            status, head = answer.status, answer.headers
            # A stream that is allowed has no end.
            text = "" if "event-stream" in head.get("content-type", "") else answer.read().decode(errors="replace")
            return status, text, head
        finally:
            client.close()

    def sign_in(self, password=PASSWORD, **fields):
        return self.ask("api/login", "POST", urllib.parse.urlencode({"password": password}),
                        **{"Origin": f"https://{self.host}", "Content-Type": "application/x-www-form-urlencoded", **fields})


def refused_settings(suite, program, folder):
    """What does not start, and why not."""
    cert, key = certificate(folder, "one")
    other_cert, _ = certificate(folder, "two")
    open_key = folder / "open.key"
    open_key.write_text(key.read_text())
    open_key.chmod(0o644)
    port = free_port("127.0.0.2")
    tls = {"tls_certificate": str(cert), "tls_key": str(key)}
    table = [
        ("an address beyond loopback alone", {"password": ""}, "viewer.password"),
        ("a password without encryption", {}, "viewer.tls_certificate"),
        ("a certificate without a password", {"password": "", **tls}, "viewer.password"),
        ("a short password", {"password": "short", **tls}, "viewer.password"),
        ("a key that everybody may read", {**tls, "tls_key": str(open_key)}, "chmod 600"),
        ("a key of another certificate", {**tls, "tls_certificate": str(other_cert)}, "belong together"),
        ("a certificate that is not there", {**tls, "tls_certificate": "missing.pem"}, "missing.pem"),
        ("a proxy that is everybody", {"trusted_proxies": "0.0.0.0/0", "names": NAME}, "trusts everybody"),
    ]
    for name, keys, word in table:
        with suite.check(f"does not start: {name}"):
            peer = folder / name.replace(" ", "-")
            peer.mkdir()
            viewer = {"http_addr": f"127.0.0.2:{port}", "password": PASSWORD, **keys}
            (peer / "goop.json").write_text(json.dumps({"viewer": viewer}))
            done = subprocess.run([program, "peer", peer, "--local", "--no-discovery"], capture_output=True, text=True,
                                  timeout=20)
            expect(done.returncode in (69, 78), f"exit {done.returncode}")
            expect(word in done.stderr, done.stderr)
            expect(PASSWORD not in done.stderr + done.stdout, "the password was told")


def closed(suite, what, door, fields=None, evil=None):
    with suite.check(f"{what}: without a session nothing but the login page"):
        for path in CLOSED:
            for cookie in ({}, {"Cookie": "__Host-goop=" + "0" * 64}):
                status, text, _ = door.ask(path, **cookie, **(fields or {}))
                expect(status == 401, f"/{path}: {status}")
                expect("Ada" not in text and "Bob" not in text, f"/{path}: {text[:200]}")
        for path in ("api/rooms/settings/save", "api/rooms/peers/decide", "api/shell/capability", "api/logout",
                     "api/rooms/restart", "api/rooms/site/audience", "api/rooms/site/upload?path=x", "api/rooms/data/write",
                     "api/rooms/data/import?table=t", "api/data/insert"):
            status, _, _ = door.ask(path, "POST", "{}", **{"Content-Type": "application/json"}, **(fields or {}))
            expect(status == 401, f"POST /{path}: {status}")
        expect(door.ask("healthz", **(fields or {}))[0] == 200, "not even healthz")
        evil = evil or Door(door.ip, door.port, "evil.example", door.is_tls)
        status = evil.ask("login", **{"X-Forwarded-Proto": "https"})[0]
        expect(status == 421, f"under a foreign name: {status}")


def log_in(page, url, password=PASSWORD):
    page.wait(lambda: page.driver.find_elements(By.ID, "password"), "the login page")
    # The browser gives it the focus when the page is drawn.
    page.wait(lambda: page.run("return document.activeElement.id") == "password", "the focus on its field")
    page.driver.switch_to.active_element.send_keys(password, Keys.ENTER)


def new_password(page, url, password):
    page.driver.get(url + "settings")
    ready(page, "settings")
    page.wait(lambda: page.driver.find_elements(By.ID, "set-viewer.password"), "the field")
    page.one('[id="set-viewer.password"]').send_keys(password)
    page.one("#save").click()
    page.wait(lambda: "Saved" in toast(page), "saved")


def story(suite, what, url, ip, bob, door, picture, fields=None):
    """A person at another machine."""
    rules = f"--host-resolver-rules=MAP {NAME} {ip}"
    with browser(arguments=["--ignore-certificate-errors", rules]) as page:
        with suite.check(f"{what}: the front page leads to the login page"):
            page.driver.get(url)
            page.wait(lambda: "/login" in page.driver.current_url, "the login page")
            expect("Ada" not in page.text() and "Bob" not in page.text(), page.text())
            suite.shot(page, f"{picture}-login")
            complaints = page.complaints()
            expect(not complaints, complaints)
            found = violations(page)
            expect(not found, "\n".join(found))
        with suite.check(f"{what}: a wrong password is told, and the field has the focus again"):
            log_in(page, url, "not the password")
            page.wait(lambda: "not the password" in page.text(), "the fault")
            suite.shot(page, f"{picture}-wrong")
            page.complaints()
        with suite.check(f"{what}: the password opens the list of people, and it is live"):
            log_in(page, url)
            page.wait(lambda: page.driver.current_url == url, "the front page")
            page.wait(lambda: page.one("#link").get_attribute("data-state") == "live", "live")
            page.wait(lambda: card(page, bob.id) is not None, "Bob", 20)
            expect(page.run("return document.cookie") == "", "a script can read the cookie")
            expect(page.run("return isSecureContext"), "no secure context")
            cookies = page.cdp("Network.getCookies", urls=[url])["cookies"]
            expect([(c["name"], c["secure"], c["httpOnly"], c["sameSite"]) for c in cookies]
                   == [("__Host-goop", True, True, "Strict")], cookies)
            suite.shot(page, f"{picture}-people")
            complaints = page.complaints()
            expect(not complaints, complaints)
        cookie = f"__Host-goop={cookies[0]['value']}"
        with suite.check(f"{what}: a site runs in the sandboxed form, without probing for another"):
            card(page, bob.id).click()
            wait_site(page, "bob home")
            expect(page.driver.current_url == f"{url}p/{bob.id}/", page.driver.current_url)
            expect("sealed off" in page.text(), page.text())
            frame = page.one("iframe").get_attribute("src")
            expect(frame.startswith(url + "c/"), frame)
            with inside(page):
                expect(page.run("return origin") == "null", "it has an origin")
                page.wait(lambda: "visited by Ada" in page.text(), "the SDK's answer")
                expect(page.run("try { return document.cookie } catch { return '' }") == "", "a cookie")
                got = page.run("return fetch(arguments[0], {credentials: 'include'}).then(r => r.text(), e => 'refused')",
                               url + "api/peers")
                expect(got == "refused", got)
                page.one("#next").click()
            wait_site(page, "next page")
            page.wait(lambda: page.driver.current_url.endswith("/sub/next.html?q=1"), "the address following")
            with inside(page):
                page.run("history.pushState(null, '', '?q=2#part')")
            page.wait(lambda: page.driver.current_url.endswith("/sub/next.html?q=2#part"), "the address following the view")
            suite.shot(page, f"{picture}-site")
            page.complaints()
        secret = urllib.parse.urlsplit(frame).path[1:]
        with suite.check(f"{what}: a page elsewhere can use the session for nothing"):
            page.driver.switch_to.new_window("tab")
            page.driver.get("data:text/html,<title>elsewhere</title>")
            for path, options in (("api/peers", {"credentials": "include"}), ("api/self", {"credentials": "include"}),
                                  ("api/login", {"method": "POST", "body": "password=x"})):
                got = page.run("return fetch(arguments[0], arguments[1]).then(r => r.text(), e => 'refused')",
                               url + path, options)
                expect(got == "refused", got)
            page.run("document.body.innerHTML = `<form method=post action='${arguments[0]}api/logout'></form>`;"
                     "document.forms[0].submit()", url)
            time.sleep(0.5)  # whatever the form does, it has done it then
            page.driver.close()
            page.driver.switch_to.window(page.driver.window_handles[0])
            expect(door.ask("api/self", Cookie=cookie, **(fields or {}))[0] == 200, "signed out by another page")
        with suite.check(f"{what}: the settings tell of the password only that there is one"):
            page.driver.get(url + "settings")
            ready(page, "settings")
            answer = page.run("return fetch('/api/rooms/settings').then(r => r.text())")
            for text in (PASSWORD, "$scrypt$"):
                expect(text not in answer and text not in page.driver.page_source, f"{text} is in the page")
            entry = next(one for one in json.loads(answer)["settings"] if one["key"] == "viewer.password")
            expect(entry["secret"] and entry["set"] and entry["value"] is None, entry)
        with suite.check(f"{what}: signing out ends the session, its streams and its secret paths"):
            page.driver.get(url)
            page.wait(lambda: page.one("#link").get_attribute("data-state") == "live", "live")
            expect(door.ask(secret, **(fields or {}))[0] == 200, "the secret path does not work before")
            page.one("#sign-out").click()
            page.wait(lambda: "/login" in page.driver.current_url, "the login page")
            expect(door.ask("api/self", Cookie=cookie, **(fields or {}))[0] == 401, "the session goes on")
            expect(door.ask(secret, **(fields or {}))[0] == 403, "the secret path goes on")
            page.driver.back()
            page.wait(lambda: "/login" in page.driver.current_url, "the login page after going back")
            expect("Bob" not in page.text(), page.text())
        with suite.check(f"{what}: a page whose session ends in another tab leads back to the login page"):
            page.driver.get(url)
            log_in(page, url)
            page.wait(lambda: card(page, bob.id) is not None, "Bob again", 20)
            first = page.driver.current_window_handle
            page.driver.switch_to.new_window("tab")
            page.driver.get(url)
            page.wait(lambda: page.driver.find_elements(By.ID, "sign-out"), "the second tab")
            page.one("#sign-out").click()
            page.wait(lambda: "/login" in page.driver.current_url, "the login page")
            page.driver.close()
            page.driver.switch_to.window(first)
            page.wait(lambda: "/login" in page.driver.current_url, "the login page in the first tab", 20)
            page.complaints()
        with suite.check(f"{what}: a new password counts at once, and signs out everybody but whoever set it"):
            log_in(page, url)
            page.wait(lambda: card(page, bob.id) is not None, "Bob again", 20)
            other = {"Cookie": door.sign_in(**(fields or {}))[2]["set-cookie"].split(";")[0], **(fields or {})}
            expect(door.ask("api/self", **other)[0] == 200, "the other session does not work before")
            new_password(page, url, "four newer words")
            page.wait(lambda: door.ask("api/self", **other)[0] == 401, "the other session ended")
            expect(door.sign_in(**(fields or {}))[0] == 403, "the old password still counts")
            expect(door.sign_in("four newer words", **(fields or {}))[0] == 303, "the new password does not count")
            new_password(page, url, PASSWORD)
            page.wait(lambda: door.sign_in(**(fields or {}))[0] == 303, "the old password again")
            page.complaints()
        with suite.check(f"{what}: started again from the page, which leads to the login page and then back"):
            page.driver.get(url + "settings")
            ready(page, "settings")
            page.wait(lambda: page.one("#restart-any").is_displayed(), "the button")
            page.one("#restart-any").click()
            page.wait(lambda: "/login" in page.driver.current_url, "the login page", 20)
            log_in(page, url)
            page.wait(lambda: page.driver.current_url == url + "settings", "the settings again")
            page.wait(lambda: "Started again" in toast(page), "the news")
            page.complaints()

    def look(page, label):
        page.driver.get(url)
        page.wait(lambda: page.driver.find_elements(By.ID, "password"), "the login page")
        suite.shot(page, label)
        harmless(page)
    each_look(suite, f"{picture}-login", HARMLESS, look, height=700, arguments=["--ignore-certificate-errors", rules])


def throttled(suite, what, door, fields=None):
    with suite.check(f"{what}: passwords can be tried a few times only, also the right one"):
        statuses = [door.sign_in("wrong", **(fields or {}))[0] for _ in range(8)]
        expect(403 in statuses and statuses[-1] == 429, statuses)
        status, _, head = door.sign_in(**(fields or {}))
        expect(status == 429 and "set-cookie" not in head and head["retry-after"].isdigit(), (status, head))


def with_certificate(suite, program, folder, bob):
    cert, key = certificate(folder, "own")
    port = free_port("127.0.0.2")
    ada = Peer(program, folder / "Ada", "--local", "--label", "Ada")
    ada.folder.mkdir()
    (ada.folder / "goop.json").write_text(json.dumps({
        "profile": {"label": "Ada"},
        "viewer": {"http_addr": f"127.0.0.2:{port}", "password": PASSWORD, "tls_certificate": str(cert),
                   "tls_key": str(key), "names": NAME}}))
    try:
        events = ada.start()
        with suite.check("the addresses are told, the inner one as ever; the file holds a hash"):
            expect(events["viewerBeyond"]["urls"] == [f"https://{NAME}:{port}/", f"https://127.0.0.2:{port}/"], events)
            expect(events["viewer"]["url"].startswith("http://127.0.0.1:"), events)
            text = (ada.folder / "goop.json").read_text()
            expect(PASSWORD not in text and "$scrypt$" in text, "in clear")
            expect((ada.folder / "goop.json").stat().st_mode & 0o777 == 0o600, "open to others")
        door = Door("127.0.0.2", port, f"{NAME}:{port}")
        closed(suite, "certificate", door)
        with suite.check("certificate: HSTS, and no plain HTTP"):
            expect("max-age" in door.ask("login")[2].get("strict-transport-security", ""), "no HSTS")
            try:
                status = Door("127.0.0.2", port, f"{NAME}:{port}", is_tls=False).ask("login")[0]
            except (OSError, http.client.HTTPException):
                status = None
            expect(status is None, f"plain HTTP was answered: {status}")
        with suite.check("certificate: forwarding fields mean nothing"):
            for fields in ({"X-Forwarded-For": "127.0.0.1"}, {"X-Forwarded-Host": "127.0.0.1"}, {"Forwarded": "for=127.0.0.1"}):
                expect(door.ask("api/self", **fields)[0] == 401, fields)
        story(suite, "certificate", f"https://{NAME}:{port}/", "127.0.0.2", bob, door, "beyond")
        throttled(suite, "certificate", door)
    finally:
        ada.stop()
    with suite.check("certificate: nothing secret is in the log"):
        log = ada.tail()
        expect(PASSWORD not in log and "$scrypt$" not in log, log)


def take_away(page, url):
    """Clears in the Settings room what the door stands on, and presses Save."""
    page.driver.get(url + "settings")
    ready(page, "settings")
    page.wait(lambda: page.driver.find_elements(By.ID, "set-viewer.password-remove"), "the box to remove the password")
    for key in ("viewer.http_addr", "viewer.tls_certificate", "viewer.tls_key"):
        page.one(f'[id="set-{key}"]').clear()
    # By keys: what is wrong with a value by now is told below its field, and moves what comes after it.
    page.one('[id="set-viewer.password-remove"]').send_keys(Keys.SPACE)
    page.one("#save").send_keys(Keys.ENTER)
    page.wait(lambda: page.one("#door-panel").is_displayed(), "the question")


def is_shut(door):
    try:
        door.ask("login")
    except OSError:
        return True
    return False


def closing(suite, program, folder):
    """The owner takes away what the door stands on, on the computer itself and from another one."""
    cert, key = certificate(folder, "closing")
    port = free_port("127.0.0.2")
    ada = Peer(program, folder / "Closing", "--local", "--label", "Ada")
    ada.folder.mkdir()
    settings = json.dumps({
        "profile": {"label": "Ada"},
        "viewer": {"http_addr": f"127.0.0.2:{port}", "password": PASSWORD, "tls_certificate": str(cert),
                   "tls_key": str(key), "names": NAME}})
    url, door = f"https://{NAME}:{port}/", Door("127.0.0.2", port, f"{NAME}:{port}")
    far = ["--ignore-certificate-errors", f"--host-resolver-rules=MAP {NAME} 127.0.0.2"]
    try:
        (ada.folder / "goop.json").write_text(settings)
        inner = ada.start()["viewer"]["url"]
        with browser(arguments=far) as away, browser() as home:
            with suite.check("closing: from another computer no page speaks of this one"):
                away.driver.get(url)
                log_in(away, url)
                away.wait(lambda: away.one("#link").get_attribute("data-state") == "live", "live")
                for room in ("", "site", "data", "settings", "network", "help"):
                    away.driver.get(url + room)
                    away.wait(lambda: away.run("return document.readyState === 'complete'") and "Reading" not in away.text(), f"/{room}")
                    expect("this computer" not in away.text(), f"/{room}: {away.text()}")
                away.driver.get(url + "site")
                away.wait(lambda: f"on the computer at {NAME}" in away.text(), "whose folder it is")
                away.driver.get(f"{url}p/{ada.id}/")
                away.wait(lambda: "Your own site" in away.text(), "the bar")
                expect("this computer" not in away.text(), away.text())
                away.driver.get(url)
                away.wait(lambda: away.one("#link").get_attribute("data-state") == "live", "live")
                away.complaints()
            with suite.check("closing: asked first; Cancel leaves all as it is"):
                take_away(home, inner)
                suite.shot(home, "beyond-closing")
                found = violations(home)
                expect(not found, "\n".join(found))
                home.driver.switch_to.active_element.send_keys(Keys.ENTER)
                home.wait(lambda: not home.one("#door-panel").is_displayed(), "the question gone")
                expect(not is_shut(door) and "tls_certificate" in (ada.folder / "goop.json").read_text(), "closed")
            with suite.check("closing: on the computer itself; whoever is signed in from elsewhere is out at once"):
                home.one("#save").click()
                home.wait(lambda: home.one("#door-panel").is_displayed(), "the question")
                home.one("#door-close").click()
                home.wait(lambda: "closed for other computers" in toast(home), "the news")
                away.wait(lambda: is_shut(door), "the door shut", 5)
                away.wait(lambda: "does not answer" in away.text() and "closed for other computers" in away.text(), "told", 20)
                suite.shot(away, "beyond-closed-elsewhere")
                expect(not home.one("#restart").is_displayed(), home.one("#restart").text)
                suite.shot(home, "beyond-closed")
                home.complaints()
        ada.stop()
        (ada.folder / "goop.json").write_text(settings)
        ada.start()
        with browser(arguments=far) as away:
            with suite.check("closing: from another computer; the page says that it is at its end, and why"):
                away.driver.get(url)
                log_in(away, url)
                away.wait(lambda: away.one("#link").get_attribute("data-state") == "live", "live")
                take_away(away, url)
                expect("this page ends" in away.one("#door-text").text, away.one("#door-text").text)
                away.one("#door-close").click()
                away.wait(lambda: "this page does nothing any more" in away.text(), "the end")
                expect(not away.one("#form").is_displayed(), "the form is still there")
                away.wait(lambda: is_shut(door), "the door shut", 5)
                suite.shot(away, "beyond-closed-from-away")
                found = violations(away)
                expect(not found, "\n".join(found))
                away.complaints()
    finally:
        ada.stop()


class Caddy:
    """A real reverse proxy: HTTPS at one port, and at another plain HTTP, which it must not get through with."""

    def __init__(self, folder, cert, key, upstream):
        self.port, self.plain = free_port("127.0.0.3"), free_port("127.0.0.3")
        file = folder / "Caddyfile"
        file.write_text(
            "{\n admin off\n auto_https off\n log {\n  level ERROR\n }\n}\n"
            f"https://{NAME}:{self.port} {{\n bind 127.0.0.3\n tls {cert} {key}\n reverse_proxy 127.0.0.1:{upstream}\n}}\n"
            f"http://{NAME}:{self.plain} {{\n bind 127.0.0.3\n reverse_proxy 127.0.0.1:{upstream}\n}}\n")
        self.log = open(folder / "caddy.log", "w+")
        environment = dict(os.environ, HOME=str(folder), XDG_DATA_HOME=str(folder / "d"), XDG_CONFIG_HOME=str(folder / "c"))
        self.process = subprocess.Popen(["caddy", "run", "--adapter", "caddyfile", "--config", str(file)],
                                        env=environment, stdout=self.log, stderr=self.log)
        self.door = Door("127.0.0.3", self.port, f"{NAME}:{self.port}")

    def wait(self):
        end = time.monotonic() + 20
        while True:
            try:
                if self.door.ask("healthz")[0] == 200:
                    return
            except OSError:
                pass
            if time.monotonic() > end or self.process.poll() is not None:
                self.log.seek(0)
                raise AssertionError(f"caddy does not answer: {self.log.read()[-1000:]}")
            time.sleep(0.05)

    def stop(self):
        self.process.terminate()
        self.process.wait(10)


def behind_caddy(suite, program, folder, bob):
    cert, key = certificate(folder, "proxy")
    upstream = free_port("127.0.0.1")
    caddy = Caddy(folder, cert, key, upstream)
    ada = Peer(program, folder / "Behind", "--local", "--label", "Ada")
    ada.folder.mkdir()
    (ada.folder / "goop.json").write_text(json.dumps({
        "profile": {"label": "Ada"},
        "viewer": {"http_addr": f"127.0.0.1:{upstream}", "password": PASSWORD, "trusted_proxies": "127.0.0.1",
                   "names": f"{NAME}:{caddy.port}"}}))
    try:
        events = ada.start()
        caddy.wait()
        with suite.check("proxy: the address of the proxy is told"):
            expect(events["viewerBeyond"]["urls"] == [f"https://{NAME}:{caddy.port}/"], events)
        # Caddy itself answers for names that are not its own.
        closed(suite, "proxy", caddy.door, evil=Door("127.0.0.1", upstream, "evil.example", is_tls=False))
        with suite.check("proxy: plain HTTP through the proxy is refused"):
            plain = Door("127.0.0.3", caddy.plain, f"{NAME}:{caddy.plain}", is_tls=False)
            expect(plain.ask("login")[0] == 403, "answered")
            plain.host = f"{NAME}:{caddy.port}"
            expect(plain.ask("login", **{"X-Forwarded-Proto": "https"})[0] == 403, "answered under the other port")
        forged = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "127.0.0.1"}
        with suite.check("proxy: whoever goes past the proxy is refused, whatever is forged"):
            past = Door("127.0.0.1", upstream, f"{NAME}:{caddy.port}", is_tls=False, source="127.0.0.8")
            for path in ("login", "healthz", "sdk/goop-data.js", "api/self"):
                expect(past.ask(path, **forged)[0] == 403, f"/{path}")
            expect(past.sign_in(**forged)[0] == 403, "signed in")
        with suite.check("proxy: the inner door refuses what a proxy passes on"):
            inner = urllib.parse.urlsplit(events["viewer"]["url"])
            door = Door("127.0.0.1", inner.port, inner.netloc, is_tls=False)
            expect(door.ask("api/self")[0] == 200, "not even directly")
            expect(door.ask("api/self", **forged)[0] == 403, "answered")
        story(suite, "proxy", f"https://{NAME}:{caddy.port}/", "127.0.0.3", bob, caddy.door, "proxy")
        # Caddy replaces what a browser writes there, so each of these tries is ours.
        throttled(suite, "proxy", caddy.door, {"X-Forwarded-For": "203.0.113.7"})
    finally:
        ada.stop()
        caddy.stop()


def checks(suite, program, folder):
    refused_settings(suite, program, folder)
    bob = Peer(program, folder / "Bob", "--local", "--no-viewer", "--label", "Bob")
    with ended(bob):
        bob.start()
        bob.write("index.html", PAGE)
        bob.write("who.js", SCRIPT)
        bob.write("sub/next.html", "<!doctype html><title>Next</title><h1>next page</h1>")
        with_certificate(suite, program, folder, bob)
        behind_caddy(suite, program, folder, bob)
        closing(suite, program, folder)


if __name__ == "__main__":
    part.run("beyond loopback", checks, part.options(__doc__))
