"""What the kernel's audit log says: denials of ours, and a policy that hides none."""
import pathlib, re, shutil, subprocess

from demo_story import wait

LOG = pathlib.Path("/var/log/audit/audit.log")
POLICY = pathlib.Path("/etc/selinux/default/policy")
RECORD = re.compile(r"type=(?:AVC|USER_AVC|SELINUX_ERR) msg=audit\((\d+\.\d+):\d+\): (.*)")
# The failure that is provoked: the native tor's own domain.
PROVOKED = re.compile(r"scontext=\S+:tor_t:")
# Podman's own slip, seen in two of ten runs: what it starts beside a container (conmon, iptables) inherits the folder that it
# holds open of another container's root, and tries an ioctl on it, in vain. No mount and no process of ours is in it.
LEAKED = re.compile(
    r'denied +\{ ioctl \} .*path="/var/lib/containers/storage/overlay/[0-9a-f]+/merged(?:/etc)?" dev="overlay" .*'
    r"scontext=\S+:(?:iptables_t|podman_conmon_t|conmon_t|podman_t):\S+ tcontext=\S+:container_file_t:\S+ tclass=dir\b")
BOOT = pathlib.Path("/proc/stat")


def records():
    """Denials of this boot: (seconds, text), as the kernel and its user-space helpers wrote them."""
    began = int(re.search(r"^btime (\d+)", BOOT.read_text(), re.M).group(1)) - 2
    lines = LOG.read_text(errors="replace").split("\n")
    return [(float(found[1]), found[2]) for line in lines if (found := RECORD.match(line)) and float(found[1]) >= began]


def ours(found):
    """Whether a denial concerns what this project starts or mounts."""
    text = found[1]
    if PROVOKED.search(text) or LEAKED.search(text):
        return False
    return re.search(
        r"scontext=\S+:(?:container\w*|onionkeeper\w*|spc_t|dockerd_t|podman_t|conmon_t|initrc_t|unconfined_t):"
        r"|tcontext=\S+:(?:container_file_t|onionkeeper\w*):"
        r'|comm="(?:onionkeeper|tor|sh|dockerd|containerd\S*|podman|conmon|crun|runc\S*|netavark|aardvark-dns)"', text) is not None


def claim_silence(track, when):
    seen = records()
    denials = [text for _, text in filter(ours, seen)]
    if leaked := sum(LEAKED.search(text) is not None for _, text in seen):
        track.say(f"-- left out: {leaked} denials of what podman starts, on a folder that it left open to it")
    track.claim(not denials, f"no denial of ours is in the audit log: {when}", "\n  ".join(denials[:12]))


def without_dontaudit(track):
    """Loads the policy that hides no denial: compiled when the image was made, since doing it here takes a minute."""
    target = next(POLICY.glob("policy.*"))
    shutil.copyfile("/job/policy.noisy", target)
    subprocess.run(["load_policy"], check=True)
    track.say("-- the policy is now one without dontaudit rules")


def denial(since, pattern, what):
    """The first denial after `since` that fits."""
    fits = re.compile(pattern)
    return wait(20, what, lambda: next((text for time, text in records() if time >= since and fits.search(text)), None))
