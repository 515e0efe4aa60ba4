"""The proof under enforcing, inside the guest: `proof.py 1` before the reboot, `proof.py 2` after it.

Docker, Podman and the native tor are three tracks that run side by side; a claim that does not hold ends its own track.
Claims are lines "ok ..." or "NO ..."; the exit code is 0 only if all hold.
"""
import json, os, pathlib, sys, threading, time, traceback

import proof_audit, proof_engine, proof_native
from demo_story import Broken

RESULT = pathlib.Path(os.environ["RESULT"])
MEMORY = pathlib.Path("/var/lib/proof.json")  # what the second boot compares with


class Track(threading.Thread):
    """One thread of claims, told with its name before each line."""

    printing = threading.Lock()
    failed = []

    def __init__(self, name, work):
        super().__init__(name=name)
        self.work, self.value = work, None

    def run(self):
        try:
            self.value = self.work(self)
        except Broken as broken:
            self.fail(str(broken))
        except Exception as error:
            traceback.print_exc()
            self.fail(f"{type(error).__name__}: {error}")

    def say(self, text):
        with self.printing:
            print(f"[{time.monotonic():5.0f} s] {self.name + ':':8} {text}", flush=True)

    def fail(self, text):
        self.failed.append(self.name)
        self.say(f"NO {text}")

    def claim(self, holds, text, otherwise=""):
        if not holds:
            raise Broken(text + (f"\n  found: {otherwise}" if otherwise else ""))
        self.say(f"ok {text}")


def together(*tracks):
    for track in tracks:
        track.start()
    for track in tracks:
        track.join()
    return {track.name: track.value for track in tracks}


def first_boot(host):
    host.claim(enforcing(), "the guest's kernel enforces SELinux", enforce_text())
    tracks = [Track(kind, lambda track, kind=kind: proof_engine.recipe(track, kind)) for kind in chosen()]
    if "native" in sys.argv[2:] or not sys.argv[2:]:
        tracks.append(Track("native", proof_native.failure))
    told = together(*tracks)
    if not Track.failed and "native" in told:
        # As its guide says: the module is there, its file contexts are applied, and the next start is in its domain.
        proof_engine.run("restorecon", "-RF", proof_engine.PROGRAM, "/etc/onionkeeper", "/var/lib/onionkeeper")
    if not Track.failed:
        proof_audit.claim_silence(host, "the whole of it")
        MEMORY.write_text(json.dumps(told))
        (RESULT / "again").touch()


def second_boot(host):
    told = json.loads(MEMORY.read_text())
    host.claim(enforcing(), "after a reboot it enforces again", enforce_text())
    each(lambda track: proof_engine.after_reboot(track, track.name, told[track.name]))
    if "native" in told:
        each(lambda track: proof_engine.own_domain(track, track.name))
    if Track.failed:
        return
    proof_audit.claim_silence(host, "the start after the reboot")
    proof_audit.without_dontaudit(host)
    each(lambda track: proof_engine.strangers(track, track.name))
    proof_engine.permissive(host, chosen()[0])
    if "docker" in chosen():
        together(Track("docker", proof_engine.unlabelled))


def each(work):
    """The same on both engines, side by side."""
    if not Track.failed:
        together(*(Track(kind, work) for kind in chosen()))


def chosen():
    return [kind for kind in ("docker", "podman") if kind in sys.argv[2:] or not sys.argv[2:]]


def enforce_text():
    return pathlib.Path("/sys/fs/selinux/enforce").read_text()


def enforcing():
    return enforce_text() == "1"


def main():
    host = Track("host", first_boot if sys.argv[1] == "1" else second_boot)
    host.run()
    return 1 if Track.failed else 0


sys.exit(main())
