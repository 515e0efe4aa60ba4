"""The demo's own view of the engine and of processes: what it checks the agent's words against.

Speaks the engine's REST API itself (Docker and Podman answer alike here) and reads /proc.
"""
import http.client, json, pathlib, re, socket, struct, urllib.parse

from demo_story import Broken

LABEL = "onionkeeper.instance"  # given at create; OnionModel/ContainerSpecification.swift
CAPABILITY_SETS = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")
REPLY_LIMIT = 16 << 20
LOG_LINES = 2000


class EngineAPI:
    def __init__(self, path):
        self.path = str(path)

    def call(self, method, target, body=None, allowed=()):
        """Status and decoded body (JSON if it is any). Broken for a status of 400 and more that is not in `allowed`."""
        connection = http.client.HTTPConnection("engine", timeout=120)
        connection.sock = socket.socket(socket.AF_UNIX)
        try:
            connection.sock.settimeout(120)
            connection.sock.connect(self.path)
            text = None if body is None else json.dumps(body)
            connection.request(method, target, text, {"Content-Type": "application/json"} if text else {})
            answer = connection.getresponse()
            raw = answer.read(REPLY_LIMIT)
        except (OSError, http.client.HTTPException) as error:
            raise Broken(f"the engine does not answer {method} {target}: {error or type(error).__name__}") from None
        finally:
            connection.close()
        try:
            value = json.loads(raw) if raw.strip() else None
        except ValueError:
            value = raw
        if answer.status >= 400 and answer.status not in allowed:
            said = raw[:300].decode(errors="replace").strip()
            raise Broken(f"the engine answers {answer.status} to {method} {target}: {said}")
        return answer.status, value

    def version(self):
        return self.call("GET", "/version")[1]["Version"]

    def ours(self):
        """Containers with our label, running or not: instance name to list entry."""
        filters = urllib.parse.quote(json.dumps({"label": [LABEL]}))
        return {c["Labels"][LABEL]: c for c in self.call("GET", f"/containers/json?all=1&filters={filters}")[1]}

    def inspect(self, name):
        """None if it is not there."""
        status, value = self.call("GET", f"/containers/{name}/json", allowed=(404,))
        return None if status == 404 else value

    def kill(self, name):
        self.call("POST", f"/containers/{name}/kill?signal=KILL")

    def remove(self, name):
        self.call("DELETE", f"/containers/{name}?force=1&v=1", allowed=(404,))

    def create(self, name, body):
        """The id."""
        return self.call("POST", f"/containers/create?name={name}", body)[1]["Id"]

    def start(self, name):
        self.call("POST", f"/containers/{name}/start")

    def logs(self, name, since=0):
        """The last lines of both streams, written at or after `since` (seconds)."""
        raw = self.call("GET", f"/containers/{name}/logs?stdout=1&stderr=1&tail={LOG_LINES}&since={since}")[1] or b""
        return unframed(raw if isinstance(raw, bytes) else json.dumps(raw).encode())


def unframed(raw):
    """Docker's stream format: frames of a type byte, three zeros, a big-endian length (Engine API, "Attach")."""
    text, at = b"", 0
    while at + 8 <= len(raw) and raw[at] < 3 and raw[at + 1:at + 4] == b"\0\0\0":
        size = struct.unpack(">I", raw[at + 4:at + 8])[0]
        text += raw[at + 8:at + 8 + size]
        at += 8 + size
    return (text or raw).decode(errors="replace")


def loosened(details):
    """The create request of a container once more, without CapDrop: what a hurried hand would type."""
    config, host = details["Config"], details["HostConfig"]
    networks = list(details["NetworkSettings"]["Networks"])
    return {
        "Image": config["Image"], "User": config["User"], "Entrypoint": config["Entrypoint"], "Cmd": [],
        "Labels": config["Labels"], "WorkingDir": config["WorkingDir"], "Env": config["Env"], "StopTimeout": 33,
        "HostConfig": {
            "Binds": [f"{m['Source']}:{m['Destination']}:{'rw' if m['RW'] else 'ro'}"
                      for m in details["Mounts"] if m["Type"] == "bind"],
            "Tmpfs": {"/tmp": "rw,noexec,nosuid,nodev,size=16m,mode=1777"},
            "NetworkMode": networks[0] if networks else host["NetworkMode"],
            "SecurityOpt": ["no-new-privileges"], "ReadonlyRootfs": True,
            "Memory": host["Memory"], "PidsLimit": host["PidsLimit"], "RestartPolicy": {"Name": "always"},
            "Ulimits": [{"Name": n, "Soft": 4096, "Hard": 4096} for n in ("nofile", "nproc")]}}


def plain(image):
    """A container with an engine's own defaults and the image's root user, as `docker run` makes it."""
    return {"Image": image, "User": "0:0", "Entrypoint": ["sleep", "3600"], "Cmd": [], "HostConfig": {"NetworkMode": "none"}}


class Process:
    """What the kernel says of a process, from /proc/PID/status."""

    def __init__(self, pid):
        try:
            text = pathlib.Path(f"/proc/{pid}/status").read_text()
        except OSError:
            raise Broken(f"process {pid} is gone") from None
        fields = dict(re.findall(r"^(\w+):\s*(.*)$", text, re.M))
        self.pid, self.name = pid, fields["Name"]
        self.uids = {int(uid) for uid in fields["Uid"].split()}  # real, effective, saved, file system
        self.capabilities = {name: int(fields[name], 16) for name in CAPABILITY_SETS}
        self.no_new_privileges, self.seccomp = int(fields["NoNewPrivs"]), int(fields["Seccomp"])

    @property
    def has_no_capability(self):
        return not any(self.capabilities.values())

    def row(self, title):
        sets = [f"{value:x}" for value in self.capabilities.values()]
        return [title, self.name, "/".join(map(str, sorted(self.uids))), *sets, self.no_new_privileges, self.seccomp]


PROCESS_HEAD = ["container", "process", "uid", *CAPABILITY_SETS, "NoNewPrivs", "Seccomp"]


def program(pid):
    """The name of a running process; empty if there is none."""
    try:
        return pathlib.Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""
