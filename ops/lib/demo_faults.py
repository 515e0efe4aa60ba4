"""Steps 6 to 9 of the demo: what is moved by hand is put back, a removed key returns, nothing opens unwatched."""
import hashlib, os, time

from demo_agent import DEADLINE
from demo_changes import NO_KEY, PLAIN, RELOAD
from demo_engine import PROCESS_HEAD, Process, loosened, program
from demo_stage import PREFIX, TOR_UID
from demo_story import Lost, spoken, wait
from demo_world import PAGES

GUARD_LINE, GUARD_CODE = "onionkeeper: tor not started", 78  # OnionModel/InstanceConfiguration.swift; EX_CONFIG
FIX_SECONDS = 60  # a repair takes one; over this it was not the signal that brought it
RECREATION = "replaced container: the recreation alone"
RECREATION_TO_PAGE = "replaced container: from the agent's next look to the page"


def drift(stage):
    stage.story.step("Drift", "Three things are moved by hand, and put back: a container killed, a key directory given to"
                     " root, a container recreated without --cap-drop=all.")
    killed_container(stage)
    stage.show_events()
    root_owned_keys(stage)
    stage.show_events()
    loose_container(stage)
    stage.show_events()
    plain_one = stage.engine.inspect(PLAIN)
    stage.claim(plain_one and plain_one["State"]["Running"], "the plain container, which is not ours, was never touched")


def killed_container(stage):
    story, agent = stage.story, stage.agent
    before, (events, _) = stage.containers(), stage.mark()
    old = stage.running("forum")["State"]["Pid"]
    killed = time.monotonic()
    stage.engine.kill(PREFIX + "forum")  # no signal to the agent: it follows the engine's events
    def back():
        details = stage.running("forum")
        return details if details and details["State"]["Pid"] != old else None
    agent.until("forum runs again", back, pause=0.02)
    took = time.monotonic() - killed
    stage.claim(took < FIX_SECONDS, f"forum's container, killed through the engine (which leaves it dead), runs again after"
                f" {story.measure('killed container: from the kill to running', took)}", f"it took {took:.0f} s")
    stage.same(before, {"blog", "vault"}, "the other two were not touched")
    agent.event("drift.detected", "forum", events)
    agent.event("drift.repaired", "forum", events)


def root_owned_keys(stage):
    story, agent = stage.story, stage.agent
    before, (events, _) = stage.containers(), stage.mark()
    directory = stage.directory("blog")
    moved = time.monotonic()
    os.chown(directory, 0, 0)
    agent.look_now()
    def owned():
        status = directory.stat()
        return (status.st_uid, status.st_gid, status.st_mode & 0o7777) == (TOR_UID, TOR_UID, 0o700)
    agent.until("the key directory of blog is tor's again", owned, pause=0.02)
    story.measure("key directory given to root: until it is tor's again", time.monotonic() - moved)
    agent.event("drift.detected", "blog", events)
    agent.event("drift.repaired", "blog", events)
    stage.claim(stage.secret("blog") == stage.key["blog"],
                f"blog's key directory, given to root, belongs to uid {TOR_UID} again;"
                " the key is untouched")
    stage.same(before, PAGES, "no container was restarted for it")


def loose_container(stage):
    story, agent, world = stage.story, stage.agent, stage.world
    before, (events, since) = stage.containers(), stage.mark()
    with agent.held():
        loose, seen = recreate_loosely(stage, "blog")
    replaced = time.monotonic()
    story.table(PROCESS_HEAD, [seen.row("blog, by hand")], marked=[0])
    stage.claim(seen.capabilities["CapBnd"] != 0,
                "made by hand it could have capabilities (CapBnd), though it runs as tor's user")
    def proven():
        details = stage.running("blog")
        return details if details and details["Id"] != loose else None
    details = agent.until("blog's container is replaced", proven)
    now = Process(details["State"]["Pid"])
    stage.claim(now.has_no_capability and now.uids == {TOR_UID},
                "it was replaced: same name, five empty capability sets again")
    agent.event("drift.detected", "blog", events)
    agent.event("drift.repaired", "blog", events)
    world.page_again(stage.address["blog"], 81, PAGES["blog"])
    story.measure(RECREATION_TO_PAGE, time.monotonic() - replaced)
    stage.same(before, {"vault", "forum"}, "the other two were not touched")
    entries = [e for e in agent.done(since, instance="blog") if e["cause"] == "drift"]
    made = [e for e in entries if e["action"] == "createContainer"]
    stage.claim(made, "history has it, with its cause: drift", f"entries: {[e['action'] for e in entries]}")
    of_it = [e for e in entries if e["pass"] == made[-1]["pass"]
             and e["action"] in ("removeContainer", "createContainer", "startContainer", "prove")]
    seconds = sum(e["duration"] for e in of_it)
    story.note(f"recreation: {', '.join(e['action'] for e in of_it)}: {story.measure(RECREATION, seconds)}"
               f" against {spoken(story.measures[RELOAD])} of a reload, which ends no tor")


def recreate_loosely(stage, instance):
    """By hand: remove it, make it anew with the same name, labels and mounts, but all default capabilities.
    The new id, and what the kernel says of its tor."""
    name = PREFIX + instance
    body = loosened(stage.engine.inspect(name))
    stage.engine.remove(name)
    identity = stage.engine.create(name, body)
    stage.engine.start(identity)
    def tor():
        state = stage.engine.inspect(identity)["State"]
        return Process(state["Pid"]) if state["Running"] and program(state["Pid"]) == "tor" else None
    return identity, wait(DEADLINE, f"tor runs in the {name} made by hand", tor)


def removal_and_return(stage):
    story, agent, world = stage.story, stage.agent, stage.world
    story.step("Removal and return", "The forum's definition is deleted by a commit, and comes back by another. A key is"
               " never deleted.")
    before, (events, _) = stage.containers(), stage.mark()
    definition = stage.repository.file("forum").read_text()
    stage.repository.file("forum").unlink()
    stage.repository.push("no forum any more")
    agent.look_now()
    def retired():
        found = list((stage.world.keys / ".onionkeeper/retired").glob("forum-*"))
        return found[0] if found and not stage.directory("forum").exists() and "forum" not in stage.engine.ours() else None
    place = agent.until("the forum is gone and its key retired", retired)
    whole = (place / "hostname").read_text().strip() == stage.address["forum"] and secret_of(place) == stage.key["forum"]
    stage.claim(whole, f"its container is gone; its key lies whole in keys/.onionkeeper/retired/{place.name}")
    agent.event("key.retired", "forum", events)
    stage.same(before, {"blog", "vault"}, "the other two were not touched")
    stage.repository.file("forum").write_text(definition)
    stage.repository.push("the forum again")
    returned = time.monotonic()
    agent.look_now()
    agent.until("the forum runs again", lambda: stage.running("forum"))
    agent.event("key.restored", "forum", events)
    now = agent.until("status knows the forum's address", lambda: agent.services().get("forum", {}).get("address"))
    stage.claim(now == stage.address["forum"] and stage.secret("forum") == stage.key["forum"] and not place.exists(),
                "the definition came back, and it has its old key and address", f"{now}, before {stage.address['forum']}")
    world.page_again(stage.address["forum"], 80, PAGES["forum"])
    story.measure("returned service: from the signal to the page", time.monotonic() - returned)
    stage.shown("and answers there with its page")
    stage.show_events()


def secret_of(directory):
    return hashlib.sha256((directory / "hs_ed25519_secret_key").read_bytes()).hexdigest()


def start_guard(stage):
    story, agent, world = stage.story, stage.agent, stage.world
    story.step("The start guard", "With the agent stopped, vault's client files are deleted and the engine is restarted:"
               " tor would run open to everybody now.")
    before = stage.containers()
    code = agent.stop()
    stage.claim(code == 0, "the agent stops on SIGTERM", f"exit code {code}")
    stage.same(before, PAGES, "and leaves all three containers as they are")
    stage.engine.remove(PLAIN)
    files = sorted((stage.directory("vault") / "authorized_clients").iterdir())
    for file in files:
        file.unlink()
    story.note(f"deleted by hand: {', '.join(f.name for f in files)}")
    restarted = int(time.time())
    world.tool("engine", "restart", world.engine_dir)
    wait(DEADLINE, "the engine starts blog and forum by itself", lambda: stage.running("blog") and stage.running("forum"))
    stage.shown("the engine, restarted, runs blog and forum again without an agent")
    line = wait(DEADLINE, "vault's start guard refuses", lambda: refusal(stage))
    stage.shown(f"vault's tor is not started: its start guard ends with {GUARD_CODE}")
    story.note(f"it says: {line}")
    stage.claim(not world.answers(stage.address["vault"], 80, seconds=3),
                "nothing answers at vault's address, not even alice's key opens it")
    log = stage.engine.logs(PREFIX + "vault", since=restarted)
    stage.claim(not stage.running("vault") and "running on Linux" not in log,
                "no tor ran in its container since the restart", log)
    repaired(stage)
    stage.show_events()


def refusal(stage):
    """The guard's line, once the container has ended with its code. Podman starts it four times a second meanwhile."""
    if stage.running("vault"):
        raise Lost("this does not hold: vault's tor is not started without its client files; it runs open to everybody")
    details = stage.engine.inspect(PREFIX + "vault")
    lines = [l for l in stage.engine.logs(PREFIX + "vault").splitlines() if GUARD_LINE in l]
    return lines[-1].strip() if details and details["State"]["ExitCode"] == GUARD_CODE and lines else None


def repaired(stage):
    story, agent, world = stage.story, stage.agent, stage.world
    events, began = len(agent.received()), time.monotonic()
    agent.run()
    agent.until("vault runs again", lambda: stage.running("vault"))
    took = time.monotonic() - began
    agent.event("drift.detected", "vault", events, drift="authorized_clients")
    stage.shown(f"the agent, started again, puts the client files back and vault runs after {took:.1f} s")
    world.page_again(stage.address["vault"], 80, PAGES["vault"])
    stage.shown("vault answers alice")
    world.forget_client(stage.address["vault"])
    code = world.refused(stage.address["vault"], 80, NO_KEY)
    stage.shown(f"and nobody without her key (SOCKS error {code})")
    story.measure("emptied client files: from the agent's start to vault shut and answering alice", time.monotonic() - began)
    world.allow_client(stage.address["vault"], stage.private)


def nothing_left(stage, keeps):
    story, agent = stage.story, stage.agent
    story.step("Nothing left to do", "A second plan is empty; every event arrived, and every signature was right.")
    agent.until("`plan` has nothing to do", lambda: agent.plan()[0] == 0)
    stage.shown("`plan` exits 0: what is there is what the repository says")
    stage.claim(all(stage.secret(n) == stage.key[n] for n in PAGES),
                "all three keys are byte for byte what they were at first")
    agent.until("the receiver has every number of the sequence", lambda: agent.gaps() == 0)
    events = agent.received()
    distinct = len({e["id"] for e in events})
    stage.claim(agent.rejected() == 0,
                f"{distinct} events came with a right signature, none with a wrong one, none is missing"
                " in their sequence", f"{agent.rejected()} rejected: {agent.events_dir}/rejected.jsonl")
    story.counts = {"events": distinct, "repeated": len(events) - distinct, "rejected": agent.rejected()}
    if keeps:
        return
    agent.stop()
    agent.command("down")
    stage.claim(not stage.engine.ours(), "`down` removes the three containers")
    stage.claim(all(stage.secret(n) == stage.key[n] for n in PAGES), "and no key")
