"""What the tools of ops/lib share: one long-lived process that belongs to one directory.

A process is ours while its command line names the directory; only such a pid, read from a file that we
wrote, is ever signalled. Errors are `Failure`: one line that says what, where and what to do next.
"""
import contextlib, ctypes, fcntl, os, pathlib, re, signal, subprocess, sys, time

LONGEST_DIR = 70  # unix sockets below DIR must stay under the kernel's 108 bytes
LOG_TAIL = 2000  # bytes of a log shown in an error


class Failure(Exception):
    pass


def main(run):
    """Runs a tool's main function; a Failure becomes `tool: message` and exit code 1."""
    tool = os.path.basename(sys.argv[0])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that `finally` runs
    try:
        sys.exit(run() or 0)
    except Failure as failure:
        print(f"{tool}: {failure}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


def directory(name):
    """DIR made absolute without symbolic links, as command lines will name it. Need not exist."""
    path = pathlib.Path(name).resolve()
    if len(os.fsencode(path)) > LONGEST_DIR:
        raise Failure(f"{path}: too long for unix sockets below it; choose a DIR of at most {LONGEST_DIR} bytes")
    if not re.fullmatch(r"[A-Za-z0-9_./+@%=-]+", str(path)):
        raise Failure(f"{path}: mount options, torrc and ssh do not take such characters; choose a plain DIR")
    return path


def port(text):
    number = int(text)
    if not 0 <= number <= 65535:
        raise ValueError(text)
    return number


@contextlib.contextmanager
def locked(path):
    """Only one start or stop at a time for a DIR (which it makes, and removes again if it is left empty)."""
    name = path / ".lock"
    while True:
        try:
            path.mkdir(parents=True, exist_ok=True)
            lock = open(name, "w")
            fcntl.flock(lock, fcntl.LOCK_EX)
            if os.stat(name).st_ino == os.fstat(lock.fileno()).st_ino:
                break
            lock.close()  # its last holder removed it
        except FileNotFoundError:
            continue
    try:
        yield
    finally:
        name.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            path.rmdir()
        lock.close()


def command_line(pid):
    """The words of a process, empty for one that is gone or a zombie."""
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def names(words, path):
    return re.search(re.escape(os.fsencode(path)) + rb"(/|\0|\s|$)", words) is not None


def running(pidfile, path):
    """The pid in `pidfile`, only while it is a process of the directory `path`."""
    try:
        pid = int(pidfile.read_text())
    except (OSError, ValueError):
        return None
    return pid if pid > 1 and names(command_line(pid), path) else None


def spawn(words, pidfile, log, **options):
    """Starts a process that outlives this one, without terminal or inherited descriptors; records its pid."""
    held = []
    signals = (signal.SIGINT, signal.SIGTERM)  # between fork and the pid file nothing may end us
    old = {s: signal.signal(s, lambda number, _: held.append(number)) for s in signals}
    try:
        with open(log, "ab") as out:
            child = subprocess.Popen(
                [str(w) for w in words], stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                start_new_session=True, **options)
        pidfile.write_text(f"{child.pid}\n")
        return child
    except FileNotFoundError as error:
        raise Failure(f"{error.filename} is not installed: run ops/lib/packages test") from None
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)
        for number in held:
            os.kill(os.getpid(), number)


def until(seconds, test, pause=0.05):
    """Polls until `test()` is true; its value, or None when the time is over."""
    end = time.monotonic() + seconds
    while not (value := test()):
        if time.monotonic() > end:
            return None
        time.sleep(pause)
    return value


def wait_ready(child, log, what, seconds, test):
    """Waits for a fresh child to be ready; a Failure with its last words if it ends or takes too long."""
    end = time.monotonic() + seconds
    while not test():
        if child.poll() is not None:
            raise Failure(f"{what} ended at its start (code {child.returncode}); {log} says:\n{tail(log)}")
        if time.monotonic() > end:
            raise Failure(f"{what} was not ready after {seconds} s; {log} says:\n{tail(log)}")
        time.sleep(0.03)


def tail(log):
    try:
        return log.read_bytes()[-LOG_TAIL:].decode(errors="replace").rstrip()
    except OSError:
        return "(nothing)"


def gone(pid):
    """Whether a process has ended for good. Its command line goes first, its locks and ports only after that."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True


def end(pidfile, path, grace=10):
    """SIGTERM, then SIGKILL after `grace` seconds. True if something ran."""
    pid = running(pidfile, path)
    for number, seconds in ((signal.SIGTERM, grace), (signal.SIGKILL, 10)):
        if running(pidfile, path):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
            until(seconds, lambda: gone(pid))
    if pid and not gone(pid):
        raise Failure(f"pid {pid} of {path} does not end")
    pidfile.unlink(missing_ok=True)
    return pid is not None


def enter_network_of(pid):
    """Moves this process into the network namespace of `pid`, so that a tool works from outside of it."""
    with open(f"/proc/{pid}/ns/net") as theirs, open("/proc/self/ns/net") as own:
        if os.fstat(theirs.fileno()).st_ino == os.fstat(own.fileno()).st_ino:
            return
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.setns(theirs.fileno(), 0x40000000) != 0:  # CLONE_NEWNET
            raise Failure(f"cannot enter the network of pid {pid}: {os.strerror(ctypes.get_errno())} (needs root)")


def serve(path, words, files):
    """`start` of a small server that is the same script: idempotent; waits for DIR/url, prints URL and PID."""
    with locked(path):
        if not running(path / "pid", path):
            for name in files + ["url"]:
                (path / name).unlink(missing_ok=True)
            log = path / "log"
            log.write_bytes(b"")
            child = spawn([sys.executable, "-B", os.path.abspath(sys.argv[0]), "serve", path, *words], path / "pid", log)
            wait_ready(child, log, os.path.basename(sys.argv[0]), 20, (path / "url").exists)
        print(f"URL={(path / 'url').read_text().strip()}\nPID={running(path / 'pid', path)}")


def announce(path, url):
    """The served side of `serve`: DIR/url appears whole, and only once connections are accepted."""
    new = path / "url.new"
    new.write_text(f"{url}\n")
    new.rename(path / "url")


def stop(path, grace=5):
    """`stop` of a server made by `serve`; leaves its records (logs, events) to be read."""
    if not path.exists():
        print(f"nothing to stop in {path}")
        return
    with locked(path):
        print(f"stopped {path}" if end(path / "pid", path, grace) else f"nothing to stop in {path}")
