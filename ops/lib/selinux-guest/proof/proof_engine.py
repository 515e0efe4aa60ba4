"""The recipe on one engine: services come up, confined and labelled; labels are repaired; strangers are kept out."""
import hashlib, json, os, pathlib, re, shlex, socket, subprocess, time

import proof_audit
from demo_engine import EngineAPI, Process
from demo_story import Broken, Lost, wait

PROGRAM = "/usr/local/bin/onionkeeper"
SERVICES = ("blog", "vault")
SOCKETS = {"docker": "/run/docker.sock", "podman": "/run/podman/podman.sock"}
UNITS = {"docker": ["docker.service"], "podman": ["podman.socket"]}
SIGNERS = "/etc/onionkeeper/allowed_signers"
TOR_UID = 7942
PATIENCE = 300  # for what takes seconds on a real machine: this one is emulated, and shared
FOREIGN = pathlib.Path("/srv/targets/app")  # a unix target's folder: somebody else's

HOST_FILE = """\
host: guest
agent: {{name: ok-{kind}}}
repository:
  url: /srv/onions.git
  branch: main
  trust: {{signers: {signers}}}
interval: 60s
engine: {{socket: {socket}}}
directories: {{keys: {root}/keys, state: {root}/state}}
image: {{base: "bootstrap:bookworm"}}
allow: {{targets: ["192.0.2.0/24", "unix:/srv/targets/*/*"]}}
tor: {{network: off}}
"""

UNIT = """\
[Unit]
Description=Onionkeeper on {kind}
After=network.target {engine}

[Service]
ExecStart=/usr/local/bin/onionkeeper run --config {config}
Restart=on-failure

[Install]
WantedBy=multi-user.target
"""


def run(*words, codes=(0,), seconds=PATIENCE):
    """A program's exit code and output."""
    done = subprocess.run([str(w) for w in words], stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
                          timeout=seconds)
    if done.returncode not in codes:
        said = (done.stderr + done.stdout).strip()
        raise Broken(f"{shlex.join(map(str, words))}: exit code {done.returncode}\n  {said[-1500:]}")
    return done.returncode, done.stdout


def said(*words):
    """The exit code, and both outputs together."""
    done = subprocess.run([str(w) for w in words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, errors="replace", timeout=PATIENCE)
    return done.returncode, done.stdout


def label(path):
    return os.getxattr(path, "security.selinux", follow_symlinks=False).rstrip(b"\0").decode()


class Host:
    """One agent with its engine."""

    def __init__(self, track, kind):
        self.track, self.kind = track, kind
        # One where our module's file contexts expect it, the other where they know nothing of it.
        self.root = pathlib.Path("/var/lib/onionkeeper" if kind == "docker" else f"/var/lib/onionkeeper-{kind}")
        self.config = pathlib.Path(f"/etc/onionkeeper/{kind}.yaml")
        self.unit = f"onionkeeper-{kind}.service"
        self.engine = EngineAPI(SOCKETS[kind])

    # ---- the agent

    def command(self, *words, codes=(0,)):
        return run(PROGRAM, *words, "--config", self.config, codes=codes)

    def said(self, *words):
        return said(PROGRAM, *words, "--config", self.config)

    def json(self, *words, codes=(0,)):
        code, text = self.command(*words, "--json", codes=codes)
        return code, json.loads(text)

    def services(self):
        return {s["name"]: s for s in self.json("status")[1]["services"]}

    def journal(self):
        return run("journalctl", "-b", "-u", self.unit, "-o", "cat", "--no-pager", "-n", "12")[1].strip()

    # ---- what is there

    def tor(self, name):
        """The details of an instance's container while its first process is tor; else None."""
        details = self.engine.inspect(f"ok-{self.kind}-{name}")
        state = details["State"] if details else {}
        if not state.get("Running"):
            return None
        try:
            return details if Process(state["Pid"]).name == "tor" else None
        except Broken:
            return None

    def life(self, name):
        details = self.tor(name)
        return details and [details["Id"], details["State"]["Pid"], details["State"]["StartedAt"]]

    def come_up(self):
        def look():
            if all(self.tor(name) for name in SERVICES):
                return True
            if re.search(r"revision \w+ is refused", self.journal()):
                raise Lost("it never will")
            return False
        try:
            wait(PATIENCE, "two tors run", look, pause=3)
            wait(PATIENCE, "nothing is left to do", lambda: self.command("plan", codes=(0, 2))[0] == 0, pause=3)
        except Broken as broken:
            raise Broken(f"{broken}\n  the agent's last words:\n{self.journal()}") from None

    def context(self, name):
        """What the kernel says that tor runs as."""
        pid = self.tor(name)["State"]["Pid"]
        return pathlib.Path(f"/proc/{pid}/attr/current").read_text().rstrip("\0\n")

    def agent(self):
        """What the agent itself runs as."""
        pid = run("systemctl", "show", "-P", "MainPID", self.unit)[1].strip()
        return pathlib.Path(f"/proc/{pid}/attr/current").read_text().rstrip("\0\n")

    def signal(self, name):
        run("systemctl", "kill", "--kill-whom=main", f"--signal={name}", self.unit)

    def level(self, name):
        return self.context(name).split(":", 3)[3]

    def key_folder(self, name):
        return self.root / "keys" / name

    def mounted(self, name):
        """Everything below the folders that the container of an instance sees."""
        state = self.root / "state/instances" / name
        found = []
        for top in (self.key_folder(name), state / "etc", state / "data", state / "run"):
            found += [top, *sorted(top.rglob("*"))]
        return found

    def mislabelled(self, name, level):
        found = {}
        for path in self.mounted(name):
            try:
                borne = label(path)
            except FileNotFoundError:
                continue  # tor's own short-lived file
            if not borne.endswith(f":object_r:container_file_t:{level}"):
                found[str(path)] = borne
        return found

    def secrets(self):
        return {name: hashlib.sha256((self.key_folder(name) / name / "hs_ed25519_secret_key").read_bytes()).hexdigest()
                for name in SERVICES}

    def once(self, name, command, binds, options):
        """A foreign container that runs one command as tor's user: its exit code and output."""
        image = self.tor("blog")["Config"]["Image"]
        self.engine.remove(name)
        self.engine.create(name, {
            "Image": image, "User": f"{TOR_UID}:{TOR_UID}", "Entrypoint": ["/bin/sh", "-c", command], "Cmd": [],
            "HostConfig": {"NetworkMode": "none", "Binds": binds, "SecurityOpt": ["no-new-privileges", *options],
                           "CapDrop": ["ALL"], "Ulimits": [{"Name": n, "Soft": 4096, "Hard": 4096} for n in ("nofile", "nproc")]}})
        self.engine.start(name)
        wait(PATIENCE, f"container {name} ends", lambda: not self.engine.inspect(name)["State"]["Running"], pause=0.5)
        code, said = self.engine.inspect(name)["State"]["ExitCode"], self.engine.logs(name)
        self.engine.remove(name)
        return code, said.strip()


def recipe(track, kind):
    """From nothing to two services; what the second boot compares with."""
    host = Host(track, kind)
    set_up(host)
    host.come_up()
    track.say(f"ok two services came up on {kind} {host.engine.version()}")
    confined(host)
    labelled(host)
    known = host.services()
    for name in SERVICES:
        written = (host.key_folder(name) / name / "hostname").read_text().strip()
        track.claim(known[name]["address"] == written, f"{name} has a key of its own: {written[:12]}…", str(known[name]))
    contained = {s: {c["name"]: c for c in known[s]["conditions"]}["Contained"] for s in SERVICES}
    track.claim(all(c["status"] == "true" and host.context(s) in c["reason"] for s, c in contained.items()),
                "`status` says so too: Contained, with that label", str(contained))
    foreign(host)
    drift(host)
    like_engines_own(host)
    return {"secrets": host.secrets(), "contexts": {name: host.context(name) for name in SERVICES}}


def set_up(host):
    kind = host.kind
    run("systemctl", "start", *UNITS[kind])
    run("systemctl", "enable", *UNITS[kind])
    host.config.write_text(HOST_FILE.format(kind=kind, signers=SIGNERS, socket=SOCKETS[kind], root=host.root))
    host.config.chmod(0o600)
    host.root.mkdir(mode=0o700)
    host.command("setup")
    images = host.root / "state/images"
    images.mkdir(mode=0o700, exist_ok=True)
    os.link("/job/bookworm.tar", images / "bookworm.tar")
    unit = pathlib.Path("/etc/systemd/system") / host.unit
    unit.write_text(UNIT.format(kind=kind, engine=" ".join(UNITS[kind]), config=host.config))
    run("restorecon", unit, host.config)
    run("systemctl", "daemon-reload")
    run("systemctl", "enable", "--now", host.unit)


def confined(host):
    tors = {name: Process(host.tor(name)["State"]["Pid"]) for name in SERVICES}
    host.track.claim(
        all(t.has_no_capability and t.uids == {TOR_UID} and t.no_new_privileges == 1 and t.seccomp == 2 for t in tors.values()),
        "each tor is uid 7942 with five empty capability sets, NoNewPrivs and seccomp", str([vars(t) for t in tors.values()]))


def labelled(host):
    contexts = {name: host.context(name) for name in SERVICES}
    fits = re.compile(r"system_u:system_r:(?:onionkeeper_)?container(?:_t)?:s0:c\d+,c\d+")
    host.track.claim(all(fits.fullmatch(c) for c in contexts.values()) and len(set(contexts.values())) == len(SERVICES),
                     f"each runs in the container domain with categories of its own: {', '.join(contexts.values())}", str(contexts))
    wrong = {path: borne for name in SERVICES for path, borne in host.mislabelled(name, host.level(name)).items()}
    host.track.claim(not wrong, "all that it mounts bears container_file_t with the same pair", json.dumps(wrong, indent=1))


def foreign(host):
    borne = label(FOREIGN)
    host.track.claim("container_file_t" not in borne, f"a unix target's folder is left as it was: {borne}", borne)


def drift(host):
    """Labels that somebody moves are put back while tor runs on."""
    keys = host.key_folder("blog")
    level = host.level("blog")
    moved = pathlib.Path(f"/root/moved-{host.kind}")
    moved.write_bytes((keys / "blog/hostname").read_bytes())
    os.chown(moved, TOR_UID, TOR_UID)
    moved.chmod(0o600)
    run("restorecon", moved)
    etc = host.root / "state/instances/blog/etc"
    breaks = [
        ("chcon of the secret key", lambda: run("chcon", "-t", "var_t", keys / "blog/hs_ed25519_secret_key")),
        ("restorecon -RF of the key folder", lambda: run("restorecon", "-RF", keys)),
        ("a hostname that was moved here from a home folder", lambda: os.rename(moved, keys / "blog/hostname")),
        ("chcon of the torrc's folder", lambda: run("chcon", "-R", "-l", "s0", etc)),
        ("another container's :Z", lambda: host.once(
            f"stranger-{host.kind}", "exit 0", [f"{keys}:/keys:ro,Z"], [])),
    ]
    for what, work in breaks:
        before = host.life("blog")
        # The agent is held meanwhile: else what is to be wrong may be right again before anybody looks.
        host.signal("STOP")
        try:
            work()
            wrong = host.mislabelled("blog", level)
        finally:
            host.signal("CONT")
        began = time.monotonic()
        wait(PATIENCE, f"the labels are right again after {what}", lambda: not host.mislabelled("blog", level), pause=0.5)
        took = time.monotonic() - began
        host.track.claim(wrong and host.life("blog") == before,
                         f"{len(wrong)} wrong, repaired in {took:.1f} s without a restart: {what}",
                         f"wrong: {wrong}; {before} -> {host.life('blog')}")
    host.come_up()


def like_engines_own(host):
    """The engine's own `:Z` with our level writes what we write."""
    folder = host.root / "scratch"
    folder.mkdir(mode=0o755)
    os.chown(folder, TOR_UID, TOR_UID)
    level = host.level("blog")
    kind = host.context("blog").split(":")[2]
    code, said = host.once(f"scratch-{host.kind}", "touch /scratch/file && echo wrote", [f"{folder}:/scratch:Z"],
                           [f"label=type:{kind}", f"label=level:{level}"])
    host.track.claim(code == 0 and label(folder) == label(host.key_folder("blog")),
                     f"the engine's own :Z with that level writes the label that we write: {label(folder)}",
                     f"{label(folder)}, ours {label(host.key_folder('blog'))}; exit code {code}: {said}")


def after_reboot(track, kind, told):
    host = Host(track, kind)
    host.come_up()
    track.say("ok after a reboot both services run again, started by the agent's unit")
    track.claim(host.secrets() == told["secrets"], "with the keys that they had")
    contexts = {name: host.context(name) for name in SERVICES}
    track.claim(contexts == told["contexts"], "and the categories that they had", f"{told['contexts']} -> {contexts}")
    confined(host)
    labelled(host)
    foreign(host)


def strangers(track, kind):
    """One instance against another's keys, with nothing hidden from the log."""
    host = Host(track, kind)
    level = host.level("blog")
    domain = host.context("blog").split(":")[2]
    since = time.time() - 1
    code, said = host.once(
        f"stranger-{kind}",
        "cat /own/hs_ed25519_public_key >/dev/null && echo own; cat /other/hs_ed25519_secret_key >/dev/null || echo refused",
        [f"{host.key_folder('blog')}/blog:/own:ro", f"{host.key_folder('vault')}/vault:/other:ro"],
        [f"label=type:{domain}", f"label=level:{level}"])
    track.claim("own" in said.split() and "refused" in said.split() and "Permission denied" in said,
                "a process with blog's label and tor's user reads blog's key folder, and vault's not", f"exit code {code}: {said}")
    categories = re.escape(level)
    other = re.escape(host.level("vault"))
    text = proof_audit.denial(
        since, rf"denied .*scontext=\S+:{domain}:{categories} tcontext=\S+:container_file_t:{other} tclass=(?:dir|file)",
        "the denial is in the audit log once dontaudit is off")
    track.say(f"ok and the kernel says why: {text[:230]}")


def own_domain(track, kind):
    """With our modules installed, the agent runs in its own domain, and what it makes from now on in the tighter one."""
    host = Host(track, kind)
    agent = host.agent()
    track.claim(agent == "system_u:system_r:onionkeeper_t:s0-s0:c0.c1023", f"the agent runs in its own domain: {agent}", agent)
    before = host.level("vault")
    host.engine.remove(f"ok-{kind}-vault")
    host.come_up()
    track.claim(host.context("vault") == f"system_u:system_r:onionkeeper_container_t:{before}",
                f"a container that is made anew runs in our own domain, with its categories: {host.context('vault')}",
                host.context("vault"))


def permissive(track, kind):
    """What looks like protection and is none is said."""
    run("setenforce", "0")
    try:
        code, said = Host(track, kind).said("doctor")
    finally:
        run("setenforce", "1")
    lines = [line.strip() for line in said.splitlines() if "permissive" in line]
    track.claim(code == 1 and lines, f"a permissive kernel is reported: {(lines or [''])[0]}", f"exit code {code}: {said}")


def unlabelled(track):
    """An engine that does not label its containers is refused by name, with the setting to change.

    Docker: Podman tells of no such setting, and a container that it leaves unlabelled fails its proof."""
    host = Host(track, "docker")
    run("systemctl", "stop", host.unit)
    pathlib.Path("/etc/docker/daemon.json").write_text('{"storage-driver": "overlay2"}\n')
    run("systemctl", "restart", "docker.service")
    code, said = host.said("setup")
    track.claim(code == 1 and '"selinux-enabled": true' in said and "Docker" in said,
                f"an engine that labels nothing is refused: {said.strip()[-200:]}", f"exit code {code}: {said}")
