"""ops/demo's second half: makes a host, runs the story on it, ends all that it started. See `ops/demo --help`."""
import argparse, os, pathlib, shlex, signal, sys, tempfile

import daemon
import demo_changes, demo_faults
from demo_agent import Agent, Repository
from demo_stage import Stage
from demo_story import Broken, Story, spoken, write_json
from demo_world import LIB, World, last_words

FOLDERS = "/tmp"  # short names: unix sockets lie below
ENDED = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}


class Interrupted(BaseException):
    pass


def on_signal(number, _):
    raise Interrupted(number)


def main():
    parser = argparse.ArgumentParser(prog="ops/demo", exit_on_error=False)
    parser.add_argument("--engine", choices=["docker", "podman"], default="docker")
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("--cache", type=pathlib.Path, default="/var/cache/onionkeeper-demo")
    parser.add_argument("--binary", type=pathlib.Path)
    parser.add_argument("--stop", nargs="?", const="", metavar="DIR")
    try:
        a = parser.parse_args()
    except argparse.ArgumentError as error:
        print(f"ops/demo: {error}", file=sys.stderr)
        return 64
    for number in ENDED:
        signal.signal(number, on_signal)
    return stop_kept(a.stop) if a.stop is not None else show(a)


def show(a):
    """Runs the whole. Whatever ends it, all that was started is ended, unless it is to be kept."""
    story, error, code = Story(), None, 0
    world = World.make(tempfile.mkdtemp(prefix="okd-", dir=FOLDERS), a.engine, a.binary)
    agent = Agent(world, a.binary)
    stage = Stage(story, world, Repository(world), agent, a.cache)
    try:
        story.say(f"Onionkeeper's demo on {a.engine}. Its folder, with a log of each part: {world.root}")
        tell(stage, a.keep)
    except (Broken, daemon.Failure) as broken:
        error, code = str(broken), 1
    except Interrupted as interrupted:
        error, code = f"ended by {signal.Signals(interrupted.args[0]).name}", ENDED[interrupted.args[0]]
    except Exception as surprise:
        error, code = f"{type(surprise).__name__}: {surprise}", 1
        raise
    finally:
        for number in ENDED:
            signal.signal(number, signal.SIG_IGN)
        if error:
            story.say(f"\nops/demo: {error}")
            if code == 1:
                story.say(f"Logs: {world.logs}. All that was started is being ended. The agent's last words:")
                story.say(last_words(agent.log, lines=12))
        if a.json:
            write_json(a.json, story.record(a.engine, error))
        if not (a.keep and not error):
            code = finish(story, world, code)
    if a.keep and not error:
        world.mark(kept=True)
        story.say(kept_text(stage))
    return code


def tell(stage, keeps):
    demo_changes.a_host(stage)
    demo_changes.a_repository(stage)
    demo_changes.services_come_up(stage)
    demo_changes.proof(stage)
    demo_changes.changed_port(stage)
    demo_faults.drift(stage)
    demo_faults.removal_and_return(stage)
    demo_faults.start_guard(stage)
    demo_faults.nothing_left(stage, keeps)
    stage.story.summary()
    reload, to_page, recreation, back = (spoken(stage.story.measures[m]) for m in (
        demo_changes.RELOAD, demo_changes.RELOAD_TO_PAGE, demo_faults.RECREATION, demo_faults.RECREATION_TO_PAGE))
    counts = stage.story.counts
    stage.story.say()
    stage.story.say(f"A changed port: a reload of {reload}, no tor ended, its page {to_page} after the signal."
                    f" A recreation: {recreation}, and the page back after {back}.")
    stage.story.say(f"{len(stage.story.claims)} claims hold; {counts['events']} events verified,"
                    f" {counts['rejected']} rejected.")


def finish(story, world, code):
    """Ends all of it; files stay only where they tell why the demo failed. The exit code."""
    troubles = world.stop(keep_files=code == 1)
    for trouble in troubles:
        story.say(f"ops/demo: not ended: {trouble}")
    if troubles:
        story.say(f"What is left of it is named in {world.root}; try: ops/demo --stop {world.root}")
    return code or (1 if troubles else 0)


def kept_text(stage):
    world, agent = stage.world, stage.agent
    command = shlex.join(map(str, ["nsenter", f"--net={world.netns}", *agent.words("status")]))
    client = "docker -H" if world.kind == "docker" else "podman --remote --url"
    git = (f"git -C {world.tree} -c gpg.format=ssh -c user.signingKey={stage.repository.key}"
           " -c user.name=me -c user.email=me@here")
    return f"""
All of it still runs. To look around, as root:
  {command}       (or: history, plan)
  {LIB}/tor-network wait-onion {world.tor_dir} {stage.address['blog']}:81 --body
  {LIB}/webhook-receiver events {world.events_dir}
  {client} unix://{world.socket} ps
  tail -f {agent.log}
To change something: edit {world.tree}/services/*.yaml, then
  {git} commit -a -S -m change
  git -C {world.tree} push origin main && kill -HUP {agent.child.pid}
To end it:
  ops/demo --stop {world.root}"""


def stop_kept(name):
    """Ends what an earlier demo left: kept on purpose, or by a demo that was killed."""
    folders = [pathlib.Path(name)] if name else sorted(pathlib.Path(FOLDERS).glob("okd-*"))
    found = [known for folder in folders if (known := World.found(folder))]
    if name and not found:
        print(f"ops/demo: {name} is no folder of a demo", file=sys.stderr)
        return 1
    code = 0
    for world, pid, kept in found:
        if not kept and b"demo.py" in daemon.command_line(pid):
            print(f"{world.root}: its demo still runs (pid {pid}); end that one by Ctrl-C")
            code = code or (1 if name else 0)
            continue
        troubles = world.stop()
        print("\n".join([f"ops/demo: not ended: {t}" for t in troubles]) or f"ended {world.root}")
        code = 1 if troubles else code
    if not found:
        print("nothing to end: no demo was kept")
    return code


if __name__ == "__main__":
    sys.exit(main())
