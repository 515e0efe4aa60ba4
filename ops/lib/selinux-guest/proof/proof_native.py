"""The failure that the story starts with: the distribution's tor in tor_t, without a container."""
import os, pathlib, shutil

from demo_story import wait
from proof_engine import run

TORRC = """\
DisableNetwork 1
SocksPort 0
HiddenServiceDir /var/lib/tor/hs
HiddenServicePort 80 127.0.0.1:8080
"""
HOSTNAME = pathlib.Path("/var/lib/tor/hs/hostname")
RESULT = pathlib.Path(os.environ["RESULT"])


def failure(track):
    pathlib.Path("/etc/tor/torrc").write_text(TORRC)
    run("install", "-d", "-m", "700", "-o", "debian-tor", "-g", "debian-tor", HOSTNAME.parent)
    run("restorecon", "-RF", "/var/lib/tor", "/etc/tor")
    code, _ = run("systemctl", "start", "tor@default", codes=(0, 1))
    run("systemctl", "stop", "tor@default")
    log, audit = RESULT / "tor.log", RESULT / "tor-audit.log"
    log.write_text(run("journalctl", "-b", "-u", "tor@default", "--no-pager")[1])
    track.claim(code == 1 and "cannot be read: Permission denied" in log.read_text(),
                "the native tor fails as reported: \"Directory /var/lib/tor/hs cannot be read: Permission denied\"", log.read_text())
    def logged():
        shutil.copyfile("/var/log/audit/audit.log", audit)
        return "dac_read_search" in audit.read_text(errors="replace")
    wait(20, "the denial is in the audit log", logged)
