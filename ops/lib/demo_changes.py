"""Steps 1 to 5 of the demo: from nothing to three services, the proof of their containment, and a changed port."""
import time

from demo_engine import PROCESS_HEAD, Process, plain
from demo_stage import TOR_UID
from demo_story import Broken
from demo_world import GATE, PAGES

PLAIN = "okd-plain"  # the container for comparison: nobody's, so the agent must leave it alone
NO_KEY, NO_PORT = ("f4", "f5"), ("05",)  # tor's SOCKS codes
RELOAD, RELOAD_TO_PAGE = "changed port: the reload alone", "changed port: from the signal to the page on it"


def a_host(stage):
    story, world = stage.story, stage.world
    story.step("A host of its own", f"A private {world.kind} engine and a private Tor network, in a network namespace"
               " that has no way out; nothing of this machine's own is touched.")
    world.start_engine()  # its namespace is where all others live
    story.note(f"{world.kind} {stage.engine.version()} answers at {world.socket}")
    *_, stage.base = world.together(world.start_tor, world.start_backends, lambda: world.provide_base(stage.cache))
    story.note(f"Tor network of 3 authorities, 4 relays and a client at {GATE}; three pages to be served:"
               " two ports, one Unix socket")


def a_repository(stage):
    story, world, agent = stage.story, stage.world, stage.agent
    story.step("A repository and an agent", "Three services of examples/ in a bare Git repository over HTTP, commits"
               " signed by an ed25519 key; a webhook receiver that verifies signatures; setup, then run.")
    public, stage.private = world.client_keys()
    stage.repository.make(public)
    revision = stage.repository.push("Three onion services")
    url, hook = world.start_servers()
    story.note(f"{url} at {revision[:12]}; events go to {hook}")
    agent.configure(url, hook, stage.repository.signers)
    agent.command("check", world.tree, "--host", world.host_file)
    agent.command("check", "--host", world.host_file)
    stage.shown("`check` finds nothing wrong with the definitions and this host's file")
    agent.command("setup")
    images = world.state / "images"
    images.mkdir(mode=0o700, exist_ok=True)
    world.run(["cp", "--reflink=auto", stage.base, images / "bookworm.tar"], "commands.log")
    story.note(f"the base image is {stage.base}, made by mmdebstrap (kept there between demos)")
    code, plan = agent.plan()
    waiting = sorted(g["subject"] for g in plan["groups"])
    stage.claim(code == 2 and {"blog", "vault", "forum"} <= set(waiting),
                "before its first pass `plan` says what is to be made (exit 2) and makes nothing", f"exit {code}: {waiting}")
    stage.claim(not stage.engine.ours(), "no container is there yet")
    agent.run()


def services_come_up(stage):
    story, agent, world = stage.story, stage.agent, stage.world
    story.step("Three services come up", "Image built, keys made, containers started and proven; pages fetched through"
               " their onion addresses by a client's SOCKS port.")
    since = time.time()
    agent.until("three tors run", lambda: all(stage.running(name) for name in PAGES), seconds=240)
    def known():
        found = agent.services()
        return found if set(found) == set(PAGES) and all(s.get("address") and s.get("pid") for s in found.values()) else None
    services = agent.until("status knows three addresses", known)
    stage.address = {name: s["address"] for name, s in services.items()}
    for name in PAGES:
        pid = stage.running(name)["State"]["Pid"]
        if services[name]["pid"] != pid:
            raise Broken(f"status says pid {services[name]['pid']} of {name}, the engine says {pid}")
    story.table(["service", "address", "process"], [[n, stage.address[n], services[n]["pid"]] for n in PAGES])
    def fetch(name):
        return lambda: world.page(stage.address[name], 80, PAGES[name])
    world.together(fetch("blog"), fetch("forum"), lambda: world.refused(stage.address["vault"], 80, NO_KEY))
    stage.shown("blog answers through Tor with its page (a port of the host behind it)")
    stage.shown("forum answers through Tor with its page (a Unix socket behind it)")
    stage.shown("vault does not let a client in that has no key")
    world.allow_client(stage.address["vault"], stage.private)
    world.page(stage.address["vault"], 80, PAGES["vault"])
    stage.shown("vault answers the client that has alice's key")
    took = story.measure("three services, from nothing to their pages", time.time() - since)
    story.note(f"from nothing to the last page: {took}")
    stage.key = {name: stage.secret(name) for name in PAGES}
    for name in PAGES:
        agent.event("key.generated", name, 0)
    stage.show_events()


def proof(stage):
    stage.story.step("Proof", "What the kernel says of each tor (/proc/PID/status on the host), beside a plain container of"
                     " the same image: capability sets, no new privileges, seccomp.")
    tors = {name: Process(stage.running(name)["State"]["Pid"]) for name in PAGES}
    image = stage.running("blog")["Config"]["Image"]
    stage.engine.create(PLAIN, plain(image))
    stage.engine.start(PLAIN)
    other = Process(stage.engine.inspect(PLAIN)["State"]["Pid"])
    rows = [tor.row(f"onionkeeper's {name}") for name, tor in tors.items()] + [other.row("plain, as `run` makes it")]
    stage.story.table(PROCESS_HEAD, rows, marked=[3])
    stage.claim(all(t.uids == {TOR_UID} for t in tors.values()),
                f"each tor runs as uid {TOR_UID}, real, effective, saved and fs")
    stage.claim(all(t.has_no_capability for t in tors.values()), "each tor's five capability sets are empty")
    stage.claim(all(t.no_new_privileges == 1 and t.seccomp == 2 for t in tors.values()),
                "each tor has NoNewPrivs 1 and a seccomp filter")
    stage.claim(other.uids == {0} and other.capabilities["CapBnd"] != 0, "the plain container has root and capabilities")


def changed_port(stage):
    story, agent, world = stage.story, stage.agent, stage.world
    story.step("A changed port", "One commit moves the blog from port 80 to 81. That is a reload, not a restart.")
    before, (events, since) = stage.containers(), stage.mark()
    stage.repository.edit("blog", r"virtual: 80\b", "virtual: 81")
    with agent.held():
        revision = stage.repository.push("blog: port 81")
        code, plan = agent.plan()
    subjects = [g["subject"] for g in plan["groups"]]
    stage.claim(code == 2 and subjects == ["blog"], "`plan` says it before it is done: exit 2, steps for blog only",
                f"exit {code}, {subjects}")
    story.note("plan: " + ", ".join(f"{s['action']} ({s['cause']})" for g in plan["groups"] for s in g["steps"]))
    agent.look_now()
    pushed = time.monotonic()
    def reloaded():
        return agent.done(since, action="reload", instance="blog")
    reload = agent.until("history has the reload of blog", reloaded)[-1]
    world.page(stage.address["blog"], 81, PAGES["blog"])
    story.measure(RELOAD_TO_PAGE, time.monotonic() - pushed)
    stage.shown("blog answers on port 81 at the same address")
    world.refused(stage.address["blog"], 80, NO_PORT)
    stage.shown("and on port 80 no longer")
    stage.same(before, PAGES, "id, pid and start of all three containers are what they were: nothing restarted")
    touched = {e["instance"] for e in agent.done(since) if e["pass"] == reload["pass"]}
    stage.claim(touched == {"blog"}, "that pass had steps for blog only", f"steps for {touched}")
    stage.claim(reload["cause"] == "change", "its cause is a change, and no drift", reload["cause"])
    story.note(f"the reload itself took {story.measure(RELOAD, reload['duration'])} at revision {revision[:12]}")
    agent.event("action.succeeded", "blog", events)
    stage.show_events()
