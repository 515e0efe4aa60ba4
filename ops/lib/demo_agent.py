"""The two sides of the demo: the repository that a person pushes to, and the agent that follows it."""
import calendar, contextlib, json, os, pathlib, re, shutil, signal, time

import daemon
from demo_story import Broken, Lost, wait
from demo_world import EXAMPLES, PAGES

PERSON = "demo@onionkeeper"
DEADLINE = 150  # for what takes seconds: the machine may be slow, and a pass comes each minute by itself
COMMAND_SECONDS = 120

HOST_FILE = """\
# Written by ops/demo: what the owner of this host decides.
host: web-1
labels: {{region: eu}}
repository:
  url: {url}
  branch: main
  allowPlainHTTP: true
  trust: {{signers: {signers}}}
interval: 60s
engine: {{socket: {socket}}}
directories: {{keys: {keys}, state: {state}}}
image: {{base: "bootstrap:bookworm"}}
allow:
  targets: [host, "unix:{targets}/*/*", "10.213.7.0/24"]
webhooks:
  - {{url: {hook}, secretFile: {secret}, events: ["*"]}}
tor: {{network: {torrc}}}
"""


class Repository:
    """A work tree of signed commits, pushed to the bare repository that the agent fetches from."""

    def __init__(self, world):
        self.world, self.key, self.signers = world, world.root / "signing-key", world.root / "allowed_signers"

    def git(self, *words):
        signing = ["-c", "gpg.format=ssh", "-c", f"user.signingKey={self.key}", "-c", "user.name=Demo",
                   "-c", f"user.email={PERSON}"]
        neutral = ["env", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1", "HOME=/nonexistent"]
        return self.world.run([*neutral, "git", "-C", self.world.tree, *signing, *words], "git.log")[1].strip()

    def make(self, client_key):
        """Three services of `examples/`, with this machine's socket and a client key whose other half we have."""
        world = self.world
        world.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", PERSON, "-f", self.key], "git.log")
        kind, key, _ = self.key.with_suffix(".pub").read_text().split()
        self.signers.write_text(f'{PERSON} namespaces="git" {kind} {key}\n')
        (world.tree / "services").mkdir(parents=True)
        for name in ("onionkeeper.yaml", *(f"services/{service}.yaml" for service in PAGES)):
            shutil.copy(EXAMPLES / name, world.tree / name)
        self.edit("forum", r"unix:/run/onion-targets/forum/forum\.sock", f"unix:{world.forum_socket}")
        self.edit("vault", r"descriptor:x25519:[A-Z2-7]{52}", f"descriptor:x25519:{client_key}")
        self.git("init", "-q", "-b", "main")
        self.git("init", "-q", "--bare", "-b", "main", world.bare)
        self.git("remote", "add", "origin", world.bare)

    def file(self, service):
        return self.world.tree / f"services/{service}.yaml"

    def edit(self, service, pattern, by):
        text, count = re.subn(pattern, lambda _: by, self.file(service).read_text())
        if count != 1:
            raise Broken(f"examples/services/{service}.yaml has {count} places like {pattern}, expected 1")
        self.file(service).write_text(text)

    def push(self, message):
        """Commits all there is, signed, and pushes it; the revision."""
        self.git("add", "--all")
        self.git("commit", "-q", "-S", "-m", message)
        self.git("push", "-q", "origin", "main")
        return self.git("rev-parse", "HEAD")


class Agent:
    def __init__(self, world, binary):
        self.world, self.binary, self.events_dir = world, binary, world.events_dir
        self.log, self.pidfile = world.logs / "agent.log", world.root / "agent.pid"
        self.told = 0  # events of the receiver that were shown already

    # ---- commands

    def configure(self, url, hook, signers):
        world = self.world
        world.host_file.write_text(HOST_FILE.format(
            url=url, hook=hook, signers=signers, socket=world.socket, keys=world.keys, state=world.state,
            targets=world.root / "targets", secret=world.root / "webhook-secret", torrc=world.tor_dir / "client.torrc"))
        world.host_file.chmod(0o600)

    def words(self, *words):
        return [self.binary, *words, *([] if words[0] == "check" else ["--config", self.world.host_file])]

    def command(self, *words, codes=(0,)):
        return self.world.run(self.words(*words), "commands.log", inside=True, seconds=COMMAND_SECONDS, codes=codes)

    def json(self, *words, codes=(0,)):
        code, said = self.command(*words, "--json", codes=codes)
        try:
            return code, json.loads(said)
        except ValueError:
            raise Broken(f"onionkeeper {' '.join(words)} --json printed no JSON: {said[:300]!r}") from None

    def services(self):
        """From `status`: service name to what is known of it."""
        return {s["name"]: s for s in self.json("status")[1]["services"]}

    def plan(self):
        """Exit code and the plan: 0 nothing to do, 2 there is a difference."""
        return self.json("plan", codes=(0, 2))

    def history(self):
        return self.json("history", "--limit", "500")[1]

    # ---- the long-lived one

    def run(self):
        words = ["nsenter", f"--net={self.world.netns}", *self.words("run")]
        self.child = daemon.spawn(words, self.pidfile, self.log)

    def pid(self):
        if self.child.poll() is not None:
            raise Lost(f"the agent ended by itself, with code {self.child.returncode}")
        return self.child.pid

    def look_now(self):
        """SIGHUP: a pass at once instead of within the minute."""
        os.kill(self.pid(), signal.SIGHUP)

    @contextlib.contextmanager
    def held(self):
        """Stops its process for a moment: it follows the engine's events, and would be first at what is shown."""
        pid = self.pid()
        os.kill(pid, signal.SIGSTOP)
        try:
            wait(DEADLINE, "the agent is held", lambda: state_of(pid) == "T", pause=0.005)
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    def stop(self):
        """SIGTERM; its exit code."""
        os.kill(self.pid(), signal.SIGTERM)
        wait(DEADLINE, "the agent ends after SIGTERM", lambda: self.child.poll() is not None)
        self.pidfile.unlink(missing_ok=True)
        return self.child.returncode

    def until(self, what, look, seconds=DEADLINE, pause=0.25):
        """Waits for a condition, and no longer if the agent has ended. A look may run a command of the agent."""
        def alive():
            self.pid()
            return look()
        return wait(seconds, what, alive, pause)

    # ---- what it did and said

    def done(self, since, **wanted):
        """Succeeded entries of `history` begun at or after `since` whose fields are as wanted, oldest first."""
        found = [e for e in self.history() if moment(e["time"]) >= since and e["outcome"] == "succeeded"
                 and all(e.get(name) == value for name, value in wanted.items())]
        return sorted(found, key=lambda e: (e["pass"], e["time"]))

    def received(self):
        """All verified events of the receiver, in order of arrival."""
        try:
            lines = (self.events_dir / "events.jsonl").read_text().splitlines()
        except OSError:
            return []
        return [json.loads(line) for line in lines]

    def rejected(self):
        try:
            return len((self.events_dir / "rejected.jsonl").read_text().splitlines())
        except OSError:
            return 0

    def new_events(self):
        """Those not shown yet, in the order of the agent's sequence."""
        found = self.received()
        fresh, self.told = found[self.told:], len(found)
        return sorted(fresh, key=lambda e: int(e["sequence"]))

    def event(self, kind, service, since, drift=None):
        """Waits for an event of this kind about this service, after the first `since` ones of the receiver."""
        def look():
            for event in self.received()[since:]:
                data = event.get("data") or {}
                about = service in (data.get("service"), data.get("instance"))
                if event["type"] == f"onionkeeper.{kind}" and about and (
                        drift is None or any(drift in str(d) for d in data.get("drift") or [])):
                    return event
            return None
        what = f"event {kind} of {service}" + (f" about {drift}" if drift else "")
        return self.until(f"the receiver gets the {what}", look)

    def gaps(self):
        """What a receiver can prove lost: numbers missing between the first and the last of an epoch."""
        epochs = {}
        for event in self.received():
            epochs.setdefault(event["epoch"], set()).add(int(event["sequence"]))
        return sum(max(s) - min(s) + 1 - len(s) for s in epochs.values())


def state_of(pid):
    return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def moment(text):
    """Seconds of an RFC 3339 time in UTC, as the journal writes them."""
    match = re.fullmatch(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?Z", text)
    if not match:
        raise Broken(f"history has a time that is not RFC 3339 in UTC: {text}")
    return calendar.timegm(time.strptime(match[1], "%Y-%m-%dT%H:%M:%S")) + float(match[2] or 0)
