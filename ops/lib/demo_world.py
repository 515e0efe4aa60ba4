"""The host that the demo makes: engine, Tor network, backends, repository, webhook receiver, all below one folder.

Everything lives in the network namespace of the engine, which has no way out. Each part is a tool of this folder that
knows its own processes by pid; `World.stop` ends them in the order that leaves nothing behind.
"""
import base64, concurrent.futures, json, os, pathlib, re, secrets, shutil, signal, subprocess, threading, time

import daemon
from demo_engine import EngineAPI
from demo_story import Broken

LIB = pathlib.Path(__file__).resolve().parent
EXAMPLES = LIB.parent.parent / "examples"
GATE = "10.213.7.1"  # ops/lib/engine: reached by containers of every bridge
TOOL_SECONDS = 400  # the slowest is a Tor network that stalls once on a slow machine
PAGES = {name: f"This is the {name} behind its onion address." for name in ("blog", "vault", "forum")}
MARK = "demo.json"  # makes a folder one of ours: `--stop` touches no other


class World:
    def __init__(self, root, engine, binary):
        self.root, self.kind, self.binary = pathlib.Path(root).resolve(), engine, binary
        self.engine_dir, self.tor_dir, self.logs = self.root / "e", self.root / "t", self.root / "logs"
        self.socket, self.netns = self.engine_dir / "engine.sock", self.engine_dir / "netns"
        self.tree, self.bare = self.root / "tree", self.root / "repos/onions.git"
        self.forum_socket = self.root / "targets/forum/forum.sock"
        self.keys, self.state = self.root / "keys", self.root / "state"
        self.host_file, self.events_dir = self.root / "host.yaml", self.root / "receiver"
        self.running_dir = self.root / "running"  # a file per program that runs, named by its pid
        self.engine = EngineAPI(self.socket)
        self.lock, self.running, self.closing = threading.Lock(), set(), False

    @classmethod
    def make(cls, root, engine, binary):
        world = cls(root, engine, binary)
        for path in (world.root, world.logs, world.running_dir, world.root / "repos"):
            path.mkdir(mode=0o700, exist_ok=True)
        world.mark()
        return world

    @classmethod
    def found(cls, root):
        """The world of an earlier run below `root`, the pid that made it, whether it was kept; None if it is no such."""
        try:
            said = json.loads((pathlib.Path(root) / MARK).read_text())
            return cls(root, said["engine"], said["binary"]), said["pid"], said["kept"]
        except (OSError, ValueError, KeyError):
            return None

    def mark(self, kept=False):
        said = {"engine": self.kind, "binary": str(self.binary), "pid": os.getpid(), "kept": kept}
        (self.root / MARK).write_text(json.dumps(said) + "\n")

    # ---- running things

    def run(self, words, log, inside=False, input=None, seconds=TOOL_SECONDS, codes=(0,)):
        """Runs a program to its end; its exit code and output. What it says on stderr is kept in `logs/LOG`.

        It gets a session of its own: Ctrl-C reaches us, and we end what runs. `inside`: in the engine's network."""
        words = [str(w) for w in (["nsenter", f"--net={self.netns}"] if inside else []) + list(words)]
        with open(self.logs / log, "ab") as errors:
            errors.write(f"$ {' '.join(words)}\n".encode())
            errors.flush()
            with self.lock:
                if self.closing:
                    raise Broken("stopped")
                child = subprocess.Popen(
                    words, stdin=subprocess.PIPE if input is not None else subprocess.DEVNULL, stdout=subprocess.PIPE,
                    stderr=errors, text=True, errors="replace", start_new_session=True)
                self.running.add(child)
                (self.running_dir / str(child.pid)).write_text(f"{child.pid}\n")
        try:
            said, _ = child.communicate(input, timeout=seconds)
        except subprocess.TimeoutExpired:
            raise Broken(f"{' '.join(words)[:200]}: did not end within {seconds} s (log: {self.logs / log})") from None
        finally:
            self.finish(child)
        if child.returncode not in codes:
            raise Broken(f"{' '.join(words)[:200]}: exit code {child.returncode}\n{last_words(self.logs / log)}")
        return child.returncode, said

    def finish(self, child):
        """Ends a program that was interrupted: politely first, then with what it started in its session."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            if child.poll() is None:
                try:
                    os.killpg(child.pid, number)
                    child.wait(20)
                except (ProcessLookupError, subprocess.TimeoutExpired):
                    continue
        for stream in (child.stdin, child.stdout):
            if stream:
                stream.close()
        self.running.discard(child)
        (self.running_dir / str(child.pid)).unlink(missing_ok=True)

    def tool(self, name, *words, inside=False, log=None, codes=(0,), seconds=TOOL_SECONDS):
        """A tool of this folder; the values of its NAME=VALUE lines."""
        _, said = self.run([LIB / name, *words], log or f"{name}.log", inside=inside, codes=codes, seconds=seconds)
        return dict(re.findall(r"^([A-Z]+)=(.*)$", said, re.M))

    def together(self, *jobs):
        """Runs jobs at the same time. The first failure is the caller's, once all have ended."""
        with concurrent.futures.ThreadPoolExecutor(len(jobs)) as pool:
            tasks = [pool.submit(job) for job in jobs]
            try:
                concurrent.futures.wait(tasks)
            except BaseException:
                self.interrupt()
                raise
            return [task.result() for task in tasks]

    def interrupt(self):
        """No new program, and those that run are ended: what waits for them returns."""
        with self.lock:
            self.closing = True
            children = list(self.running)
        for child in children:
            try:
                os.killpg(child.pid, signal.SIGTERM)
            except ProcessLookupError:
                pass

    # ---- the parts

    def start_engine(self):
        self.tool("engine", "start", self.kind, self.engine_dir)

    def start_tor(self):
        self.tool("tor-network", "start", self.tor_dir, "--address", GATE, inside=True)

    def start_backends(self):
        places = {"blog": "0.0.0.0:8080", "vault": "0.0.0.0:8081", "forum": f"unix:{self.forum_socket}"}
        self.together(*(
            lambda name=name, place=place: self.tool(
                "demo-backend", "start", self.root / f"b-{name}", "--listen", place, "--page", PAGES[name],
                inside=True, log=f"backend-{name}.log")
            for name, place in places.items()))

    def provide_base(self, cache):
        tar = pathlib.Path(cache) / "bookworm.tar"
        self.tool("base-image", tar)
        return tar

    def start_servers(self):
        """Git over HTTP and the webhook receiver: their URLs."""
        secret = self.root / "webhook-secret"
        secret.write_text("whsec_" + base64.b64encode(secrets.token_bytes(32)).decode() + "\n")
        secret.chmod(0o600)
        git = self.tool("git-server", "start", self.root / "git", "--root", self.bare.parent, inside=True)["URL"]
        hook = self.tool("webhook-receiver", "start", self.events_dir, "--secret-file", secret, inside=True)["URL"]
        return f"{git}/onions.git", f"{hook}/hooks/demo"

    def client_keys(self):
        said = self.tool("tor-network", "client-keys")
        return said["PUBLIC"], said["PRIVATE"]

    # ---- a client of the Tor network

    def page(self, address, port, expect, seconds=200):
        """Fetches the page through the client's SOCKS port until it comes and contains `expect`."""
        self.run([LIB / "tor-network", "wait-onion", self.tor_dir, f"{address}:{port}", "--timeout", seconds,
                  "--expect", expect], "fetch.log", seconds=seconds + 60)

    def page_again(self, address, port, expect, seconds=200):
        """The same of a tor that was started anew. A client that asks too early learns the old introduction points once
        more and waits for them in vain, so it forgets what it knows now and then."""
        end = time.monotonic() + seconds
        while True:
            self.tool("tor-network", "newnym", self.tor_dir)
            code, _ = self.run([LIB / "tor-network", "wait-onion", self.tor_dir, f"{address}:{port}", "--timeout", 15,
                                "--expect", expect], "fetch.log", codes=(0, 1))
            if code == 0:
                return
            if time.monotonic() > end:
                raise Broken(f"{address}:{port} does not answer with its page\n{last_words(self.logs / 'fetch.log')}")

    def refused(self, address, port, codes, seconds=120):
        """Fetches until the client is refused with one of tor's SOCKS codes, which is the result."""
        _, said = self.run([LIB / "tor-network", "wait-onion", self.tor_dir, f"{address}:{port}", "--timeout", seconds,
                            "--refused", ",".join(codes)], "fetch.log", seconds=seconds + 60)
        return said.strip().rpartition(" ")[2]

    def answers(self, address, port, seconds):
        """Whether anything comes from there within `seconds`."""
        code, _ = self.run([LIB / "tor-network", "wait-onion", self.tor_dir, f"{address}:{port}", "--timeout", seconds],
                           "fetch.log", seconds=seconds + 60, codes=(0, 1))
        return code == 0

    def allow_client(self, address, private):
        self.tool("tor-network", "client-auth", self.tor_dir, address, private)

    def forget_client(self, address):
        self.tool("tor-network", "client-auth-remove", self.tor_dir, address)

    # ---- the end

    def stop(self, keep_files=False):
        """Ends all that was started, whatever of it there is. Lines about what would not end."""
        troubles = []
        self.interrupt()
        with self.lock:
            self.closing, left = False, list(self.running)
        for child in left:
            self.finish(child)
        def attempt(work):
            try:
                work()
            except (Broken, daemon.Failure) as failure:
                troubles.append(str(failure))
        for pidfile in list(self.running_dir.glob("*")):  # of a demo that was killed
            attempt(lambda: daemon.end(pidfile, self.root))
        attempt(lambda: daemon.end(self.root / "agent.pid", self.root, grace=30))
        if self.socket.exists() and self.host_file.exists() and self.state.exists():
            down = [self.binary, "down", "--config", self.host_file]
            attempt(lambda: self.run(down, "stop.log", inside=True, seconds=60, codes=(0, 1)))
        stops = [("tor-network", self.tor_dir), ("git-server", self.root / "git"), ("webhook-receiver", self.events_dir)]
        stops += [("demo-backend", self.root / f"b-{name}") for name in PAGES]
        self.together(*(lambda tool=tool, path=path: attempt(
            lambda: self.tool(tool, "stop", path, log="stop.log")) for tool, path in stops if path.exists()), lambda: None)
        if self.engine_dir.exists():
            attempt(lambda: self.tool("engine", "stop", self.engine_dir))
        if not troubles and not keep_files:
            shutil.rmtree(self.root)
        elif not troubles:
            shutil.rmtree(self.state / "images", ignore_errors=True)  # large, and kept elsewhere
            (self.root / MARK).unlink(missing_ok=True)
        return troubles


def last_words(log, lines=6):
    try:
        return "\n".join(log.read_text(errors="replace").strip().splitlines()[-lines:]) + f"\n(log: {log})"
    except OSError:
        return f"(log: {log})"
