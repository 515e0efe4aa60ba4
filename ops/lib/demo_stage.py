"""What every step of the demo works with: the story, the host, the repository, the agent, and looks at what is there."""
import hashlib, time

from demo_engine import program
from demo_world import PAGES

TOR_UID = 7942  # OnionModel/TorLayout.swift
PREFIX = "onionkeeper-"  # of container names: the agent's default name


class Stage:
    def __init__(self, story, world, repository, agent, cache):
        self.story, self.world, self.repository, self.agent, self.cache = story, world, repository, agent, cache
        self.engine, self.claim, self.shown = world.engine, story.claim, story.shown
        self.private = ""  # alice's client key
        self.address, self.key = {}, {}  # by service: onion address, SHA-256 of the secret key's file

    def show_events(self):
        self.story.events(self.agent.new_events())

    def containers(self):
        """What must not move while nothing happens to an instance: id, pid and start of each container."""
        found = {}
        for instance, entry in self.engine.ours().items():
            if details := self.engine.inspect(entry["Id"]):
                found[instance] = (details["Id"], details["State"]["Pid"], details["State"]["StartedAt"])
        return found

    def same(self, before, names, what):
        now = self.containers()
        moved = [n for n in names if now.get(n) != before.get(n)]
        self.claim(not moved, what, f"moved: {', '.join(f'{n} {before.get(n)} -> {now.get(n)}' for n in moved)}")

    def running(self, instance):
        """The details of an instance's container while its first process is tor; else None."""
        entry = self.engine.ours().get(instance)
        details = entry and self.engine.inspect(entry["Id"])
        state = details["State"] if details else {}
        return details if state.get("Running") and program(state.get("Pid")) == "tor" else None

    def directory(self, service):
        return self.world.keys / service / service

    def secret(self, service):
        return hashlib.sha256((self.directory(service) / "hs_ed25519_secret_key").read_bytes()).hexdigest()

    def mark(self):
        """Where the receiver and the clock stand now."""
        return len(self.agent.received()), time.time()
