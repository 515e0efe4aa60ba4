"""The failure that the story starts with: the distribution's tor in tor_t, without a container. Then the way out of it."""
import json, os, pathlib, re, shutil, time

from demo_story import wait
from proof_engine import PATIENCE, PROGRAM, run, said

UNIT = "tor@default"
TORRC = """\
DisableNetwork 1
SocksPort 0
HiddenServiceDir /var/lib/tor/hs
HiddenServicePort 80 127.0.0.1:8080
"""
SERVICE = pathlib.Path("/var/lib/tor/hs")
AUDIT = pathlib.Path("/var/log/audit/audit.log")
RESULT = pathlib.Path(os.environ["RESULT"])
CAPABILITY = "(allow tor_t self (capability (dac_read_search)))"


def failure(track):
    pathlib.Path("/etc/tor/torrc").write_text(TORRC)
    run("install", "-d", "-m", "700", "-o", "debian-tor", "-g", "debian-tor", SERVICE)
    run("restorecon", "-RF", "/var/lib/tor", "/etc/tor")
    code, _ = run("systemctl", "start", UNIT, codes=(0, 1))
    run("systemctl", "stop", UNIT)
    run("systemctl", "reset-failed", UNIT, codes=(0, 1))
    log, audit = RESULT / "tor.log", RESULT / "tor-audit.log"
    log.write_text(run("journalctl", "-b", "-u", UNIT, "--no-pager")[1])
    track.claim(code == 1 and f"Directory {SERVICE} cannot be read: Permission denied" in log.read_text(),
                f"the native tor fails as reported: \"Directory {SERVICE} cannot be read: Permission denied\"", log.read_text())

    def logged():
        shutil.copyfile(AUDIT, audit)
        return "dac_read_search" in audit.read_text(errors="replace")
    wait(PATIENCE, "the denial is in the audit log", logged)
    explained(track, log, audit)
    module = pathlib.Path("/root/tor_onion_local.cil")
    module.write_text(run(PROGRAM, "policy", "from-audit", audit)[1])
    rules = re.findall(r"^\(allow .*", module.read_text(), re.M)
    track.claim(rules == [CAPABILITY], f"`policy from-audit` writes the one rule: {CAPABILITY}", module.read_text())
    modules = [module, *(pathlib.Path(f"/job/policies/{name}.cil") for name in ("onionkeeper_container", "onionkeeper"))]
    install(track, modules)
    track.say(f"ok `policy install` loads {', '.join(m.stem for m in modules)}")
    run("systemctl", "start", UNIT)
    hostname = SERVICE / "hostname"
    wait(PATIENCE, "tor makes its key", hostname.exists)
    pid = run("systemctl", "show", "-P", "MainPID", UNIT)[1].strip()
    context = pathlib.Path(f"/proc/{pid}/attr/current").read_text().rstrip("\0\n")
    track.claim(":tor_t:" in context, f"and the native tor starts with it, confined as before ({context}): {hostname.read_text()[:12]}…",
                context)
    run("systemctl", "stop", UNIT)
    findings = json.loads(run(PROGRAM, "explain", "--json", "--host", log, audit)[1])["findings"]
    past = [f for f in findings if "dac_read_search" in f["title"]]
    track.claim(past and all(f["impact"] == "notice" and "of an earlier time" in f["cause"] for f in past),
                "and `explain --host` says of the same log that the loaded policy allows it now", json.dumps(findings))


def install(track, modules):
    """What makes the agent an administrator is refused until each of its grants is allowed by name."""
    code, refusal = said(PROGRAM, "policy", "install", *modules)
    grants = sorted(set(re.findall(r"--allow ([^\s)]+)", refusal)))
    track.claim(code == 1 and "unconfined_domain_type" in " ".join(grants), f"the agent's own module is not installed unread: {', '.join(grants)}",
                f"exit code {code}: {refusal}")
    run(PROGRAM, "policy", "install", *modules, *(word for grant in grants for word in ("--allow", grant)))


def explained(track, log, audit):
    """The first of explain's findings names the cause, and the least of its remedies come before the rule."""
    began = time.monotonic()
    first = json.loads(run(PROGRAM, "explain", "--json", "--host", log, audit)[1])["findings"][0]
    track.say(f"-- `explain --host` took {time.monotonic() - began:.1f} s")
    text = json.dumps(first)
    levels = [fix["level"] for fix in first["fixes"]]
    track.claim(first["impact"] == "blocks" and "dac_read_search" in first["title"] and str(SERVICE) in text,
                f"`explain` names it from the guest's own logs: {first['title']}", text)
    track.claim(CAPABILITY in text and "dac_override dac_read_search" not in text and levels[-1] == "policy" and len(levels) > 1,
                f"and its remedies go from least to most privilege: {', '.join(levels)}", text)
